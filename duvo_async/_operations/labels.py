"""What is sent about the labels of queues and cases, and what the answers mean."""

from collections.abc import Iterable, Mapping, Sequence

from duvo_async._operations._fields import (
    delete,
    done,
    filled,
    get,
    kept,
    one,
    or_null,
    page,
    patch,
    post,
    text,
    whole,
)
from duvo_async._protocol import Call, Page
from duvo_async._routes import Routes
from duvo_async.models import Label, Labels, NotGiven

MAX_LABELS = 1000
"""Labels a page (API reference, "List Queue Labels")."""
_MOST_LABELS = 50
"""Labels that a case is given at a time (API reference, "Assign Case Labels")."""
_HUES = 360


def list_queue_labels(
    routes: Routes, queue_id: str, *, limit: int, offset: int
) -> Call[Page[Label]]:
    """Read a page of a queue's labels."""
    return Call(get(routes.labels(queue_id), _part(limit, offset)), page("labels", Label))


def create_queue_label(  # noqa: PLR0913 - the fields of the body
    routes: Routes,
    queue_id: str,
    *,
    value: str,
    key: str,
    color_hue: int | None,
    idempotency_key: str | None,
) -> Call[Label]:
    """Make a label."""
    fields = {
        "key": text("key", key) or None,
        "value": filled("value", value),
        "color_hue": or_null(_hue)("color_hue", color_hue),
    }
    return Call(post(routes.labels(queue_id), fields, idempotency_key), one("label", Label))


def update_queue_label(  # noqa: PLR0913 - the fields of the body
    routes: Routes,
    queue_id: str,
    label_id: str,
    *,
    value: str,
    key: str | NotGiven,
    color_hue: int | NotGiven,
    idempotency_key: str | None,
) -> Call[Label]:
    """Change a label."""
    changes = {
        "key": kept("key", key, text),
        "value": filled("value", value),
        "color_hue": kept("color_hue", color_hue, _hue),
    }
    path = routes.label(queue_id, label_id)
    return Call(patch(path, changes, idempotency_key), one("label", Label))


def delete_queue_label(
    routes: Routes, queue_id: str, label_id: str, *, idempotency_key: str | None
) -> Call[None]:
    """Delete a label."""
    return Call(delete(routes.label(queue_id, label_id), idempotency_key), done)


def list_case_labels(
    routes: Routes, queue_id: str, case_id: str, *, limit: int, offset: int
) -> Call[Page[Label]]:
    """Read a page of a case's labels."""
    path = routes.case_labels(queue_id, case_id)
    return Call(get(path, _part(limit, offset)), page("labels", Label))


def assign_case_labels(
    routes: Routes,
    queue_id: str,
    case_id: str,
    *,
    labels: Labels,
    idempotency_key: str | None,
) -> Call[tuple[Label, ...]]:
    """Give labels to a case."""
    fields = {"labels": label_fields(labels)}
    if not fields["labels"]:
        raise ValueError("labels must not be empty")
    path = routes.case_labels(queue_id, case_id)
    return Call(post(path, fields, idempotency_key), one("labels", tuple[Label, ...]))


def unlink_case_labels(
    routes: Routes,
    queue_id: str,
    case_id: str,
    *,
    label_ids: Sequence[str | Label],
    idempotency_key: str | None,
) -> Call[None]:
    """Take labels from a case."""
    _several("label_ids", label_ids)
    ids = [each.id if isinstance(each, Label) else each for each in label_ids]
    fields = {"label_ids": [filled("an id of label_ids", each) for each in ids]}
    if not ids:
        raise ValueError("label_ids must not be empty")
    path = routes.unlink_case_labels(queue_id, case_id)
    return Call(post(path, fields, idempotency_key), done)


# --- labels as the user writes them ---------------------------------------------------------------


def label_fields(labels: Labels) -> list[dict[str, str]]:
    """Write the labels that a case is given."""
    pairs = _pairs(labels)
    if len(pairs) > _MOST_LABELS:
        raise ValueError(f"labels must be at most {_MOST_LABELS}, not {len(pairs)}")
    return [{"key": key, "value": value} if key else {"value": value} for key, value in pairs]


def label_filter(labels: Labels) -> dict[str, list[str]]:
    """Write the labels that cases are looked for with."""
    by_key: dict[str, list[str]] = {}
    for key, value in _pairs(labels):
        by_key.setdefault(key, []).append(value)
    if not by_key:
        raise ValueError("labels must not be empty: None looks for any")
    return by_key


def _pairs(labels: Labels) -> list[tuple[str, str]]:
    """Take labels apart into keys and values."""
    if not isinstance(labels, Mapping):
        _several("labels", labels)
        return [_pair(each) for each in labels]
    pairs: list[tuple[str, str]] = []
    for key, values in labels.items():
        several = (values,) if isinstance(values, str) else values
        _several(f"labels[{key!r}]", several)
        if not several:
            raise ValueError(f"labels[{key!r}] must have a value")
        pairs.extend(
            (text("the key of a label", key), filled("a label", value)) for value in several
        )
    return pairs


def _pair(label: str | Label) -> tuple[str, str]:
    return (label.key, label.value) if isinstance(label, Label) else ("", filled("a label", label))


def _several(name: str, values: object) -> None:
    if isinstance(values, (str, bytes)) or not isinstance(values, Iterable):
        raise TypeError(f"{name} must be many, not one {type(values).__name__}: put it in a list")


def _hue(name: str, value: int) -> int:
    return whole(name, value, least=0, most=_HUES)


def _part(limit: int, offset: int) -> dict[str, object]:
    return {
        "limit": whole("limit", limit, least=1, most=MAX_LABELS),
        "offset": whole("offset", offset, least=0),
    }
