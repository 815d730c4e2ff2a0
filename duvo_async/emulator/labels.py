"""The labels of a queue, each a value under a key, and how the API shows them."""

from collections.abc import Mapping
from hashlib import sha256

from attrs import define, field

from duvo_async.emulator.ids import Ids


@define(eq=False)
class Label:
    """A label of a queue. All cases that have it share this one.

    Attributes:
        id: The label's id.
        key: What it tells of; empty for a plain tag.
        value: What it says.
        color_hue: The hue of its colour, in degrees.
        case_count: How many cases have it.
    """

    id: str
    key: str
    value: str
    color_hue: int
    case_count: int = 0

    def as_shown(self) -> Mapping[str, object]:
        """How the API shows it with a case."""
        return {"id": self.id, "key": self.key, "value": self.value, "color_hue": self.color_hue}

    def as_counted(self) -> Mapping[str, object]:
        """How the API shows it with its queue."""
        return {**self.as_shown(), "case_count": self.case_count}


@define(eq=False)
class Labels:
    """The labels of one queue, no two with the same key and value.

    Attributes:
        ids: Where their ids come from.
        queue_number: The queue's place among all queues that ever were.
    """

    ids: Ids
    queue_number: int
    _by_id: dict[str, Label] = field(factory=dict[str, Label])
    _by_name: dict[tuple[str, str], Label] = field(factory=dict[tuple[str, str], Label])
    _made: int = 0

    def all(self) -> list[Label]:
        """All labels, oldest first."""
        return list(self._by_id.values())

    def find(self, label_id: str) -> Label | None:
        """The label of that id; None when there is none."""
        return self._by_id.get(label_id)

    def ensure(self, key: str, value: str, color_hue: int | None = None) -> Label:
        """The label of that key and value, which is made when it is missing.

        Args:
            key: Its key.
            value: Its value.
            color_hue: The hue of a new one; None for one that follows from its name.
        """
        label = self._by_name.get((key, value))
        if label is None:
            hue = _hue(key, value) if color_hue is None else color_hue
            label_id = self.ids.uuid("label", self.queue_number, self._made)
            self._made += 1
            label = Label(label_id, key, value, hue)
            self._by_id[label_id] = self._by_name[key, value] = label
        return label

    def rename(self, label: Label, key: str, value: str) -> bool:
        """Gives a label another key and value; False when another label has them already."""
        if self._by_name.get((key, value), label) is not label:
            return False
        del self._by_name[label.key, label.value]
        label.key, label.value = key, value
        self._by_name[key, value] = label
        return True

    def remove(self, label: Label) -> None:
        """Leaves out a label."""
        del self._by_id[label.id]
        del self._by_name[label.key, label.value]


def _hue(key: str, value: str) -> int:
    return int.from_bytes(sha256(f"{key}\n{value}".encode()).digest()[:4]) % 361
