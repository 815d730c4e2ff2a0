"""The SDK's models as Temporal's payloads: the JSON in which the API has them."""

from dataclasses import replace
from inspect import isclass
from typing import Any

from attrs import has
from temporalio.converter import (
    AdvancedJSONEncoder,
    CompositePayloadConverter,
    DataConverter,
    DefaultPayloadConverter,
    JSONPlainPayloadConverter,
    JSONTypeConverter,
)

from duvo_async._converter import DecodeProblem, structure, unstructure

_OURS = __name__.partition(".")[0] + "."


class _Encoder(AdvancedJSONEncoder):
    def default(self, o: Any) -> Any:  # noqa: ANN401 - any value
        if _is_model(type(o)):
            return unstructure(o)
        return super().default(o)


class _Models(JSONTypeConverter):
    def to_typed_value(self, hint: Any, value: Any) -> Any:  # noqa: ANN401 - as above
        if not _is_model(hint):
            return JSONTypeConverter.Unhandled
        try:
            return structure(value, hint)
        except DecodeProblem as error:
            problem = "; ".join(error.problems)
        raise TypeError(f"this is no {hint.__name__}: {problem}")


class DuvoPayloadConverter(CompositePayloadConverter):
    """Temporal's default, which has the SDK's models as JSON as well.

    They are written as `json/plain`, so that Temporal's UI shows them. Fields that are not known
    are left out when they are read, and those that have a default may be missing: histories that
    older and newer versions wrote can be read.
    """

    def __init__(self) -> None:
        json = JSONPlainPayloadConverter(encoder=_Encoder, custom_type_converters=[_Models()])
        others = DefaultPayloadConverter.default_encoding_payload_converters
        super().__init__(*(json if each.encoding == json.encoding else each for each in others))


data_converter: DataConverter = replace(
    DataConverter.default, payload_converter_class=DuvoPayloadConverter
)
"""What a client of Temporal needs to speak of runs: `Client.connect(…, data_converter=…)`.

With `dataclasses.replace(data_converter, payload_codec=…)` what it writes is encrypted.
"""


def _is_model(kind: Any) -> bool:  # noqa: ANN401 - a type, or a typing construct
    return isclass(kind) and kind.__module__.startswith(_OURS) and has(kind)
