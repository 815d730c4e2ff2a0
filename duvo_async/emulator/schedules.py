"""Schedules: when an agent is to run, as people wrote it down, and how the API shows it."""

from collections.abc import Mapping

from attrs import define

from duvo_async.emulator.exchange import timestamp
from duvo_async.emulator.teams import User

_UNSET: Mapping[str, object] = {
    "time": None,
    "day": None,
    "day_of_month": None,
    "cron": None,
    "recurring": None,
}


@define(eq=False)
class Schedule:
    """A schedule of an agent. Times are in Unix seconds.

    It is kept and shown, but starts nothing: `Emulator.start_run` starts a run as a schedule does,
    at the very time that a test needs.

    Attributes:
        id: The schedule's id.
        agent_id: The agent's id.
        user: Who made it.
        fields: What people set of it.
        created_at: When it was made.
        updated_at: When it last changed.
    """

    id: str
    agent_id: str
    user: User
    fields: Mapping[str, object]
    created_at: float
    updated_at: float

    def change(self, fields: Mapping[str, object], now: float) -> None:
        """Sets some of its fields; the others stay as they are."""
        self.fields = {**self.fields, **fields}
        self.updated_at = now

    def as_shown(self, build_id: str) -> Mapping[str, object]:
        """How the API shows it.

        Args:
            build_id: The build that its runs would name.
        """
        return {
            "id": self.id,
            "build_id": build_id,
            "agent_id": self.agent_id,
            "user_id": self.user.id,
            **_UNSET,
            **self.fields,
            "source": None,
            "task": None,
            "auto_disabled_at": None,
            "auto_disabled_reason": None,
            "consecutive_missing_connection_failures": 0,
            "first_missing_connection_failure_at": None,
            "last_missing_connection_failure_at": None,
            "created_at": timestamp(self.created_at),
            "updated_at": timestamp(self.updated_at),
            "user_name": self.user.name,
            "user_email": self.user.email,
        }
