"""Messages: what a run and its people said, and the tools that it called."""

from collections.abc import Mapping
from datetime import datetime

from attrs import field, frozen

from duvo_async.models._json import JSON


@frozen(kw_only=True)
class ToolCall:
    """A tool that the agent called.

    Attributes:
        id: The call's id, which its result repeats.
        name: The tool's name.
        arguments: What it was called with; empty when the API does not say.
    """

    id: str
    name: str
    arguments: Mapping[str, JSON] = field(factory=dict[str, JSON])


@frozen(kw_only=True)
class ToolResult:
    """What a tool gave back.

    Attributes:
        tool_call_id: The id of the `ToolCall` that it answers.
        result: Any JSON value; None when there is none.
        error: Why the tool failed. None when it did not.
    """

    tool_call_id: str
    result: JSON = None
    error: str | None = None


@frozen(kw_only=True)
class Message:
    """One entry of a run's conversation.

    Attributes:
        id: The message's id.
        type: The API's word for its kind.
        role: Who speaks, for example `user` or `assistant`.
        timestamp: When.
        text_content: The text. None for messages without one, such as tool calls.
        tool_call: The tool that the agent called. None in other messages.
        tool_result: What a tool gave back. None in other messages.
    """

    id: str
    type: str
    role: str
    timestamp: datetime
    text_content: str | None = None
    tool_call: ToolCall | None = None
    tool_result: ToolResult | None = None


@frozen(kw_only=True)
class MessagesPage:
    """One page of a run's messages, oldest first.

    Attributes:
        messages: The messages of this page.
        total: How many the run has so far; the number grows while it goes on.
        limit: The page size that the API used.
        offset: How many messages come before this page.
    """

    messages: tuple[Message, ...]
    total: int
    limit: int
    offset: int
