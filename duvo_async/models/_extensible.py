"""Models that keep what they do not know, because they are sent back."""

from collections.abc import Mapping
from types import MappingProxyType

from attrs import field, frozen

from duvo_async.models._json import JSON


@frozen(kw_only=True)
class Extensible:
    """A model that loses nothing of what the API sent, so that sending it back changes nothing."""

    _extra: Mapping[str, JSON] = field(factory=dict[str, JSON], repr=False, eq=False)

    @property
    def extra(self) -> Mapping[str, JSON]:
        """The fields that this SDK has no name for, read-only. They are no part of equality."""
        return MappingProxyType(self._extra)
