"""What the API's answers hold: frozen attrs classes, one file a noun."""

from duvo_async.models._json import JSON
from duvo_async.models.human_requests import (
    AnsweredHumanRequest,
    HumanAnswer,
    HumanRequest,
    HumanRequestType,
    Question,
    QuestionOption,
)
from duvo_async.models.messages import Message, MessagesPage, ToolCall, ToolResult
from duvo_async.models.rate_limit import RateLimit
from duvo_async.models.runs import Run, RunOutcome, RunStatus, RunSummary, StopResult
from duvo_async.models.sandboxes import (
    Sandbox,
    SandboxFile,
    SandboxFileType,
    UploadedFile,
    UploadUrl,
)
from duvo_async.models.uploads import UploadOutcome, UploadProgress

__all__ = [
    "JSON",
    "AnsweredHumanRequest",
    "HumanAnswer",
    "HumanRequest",
    "HumanRequestType",
    "Message",
    "MessagesPage",
    "Question",
    "QuestionOption",
    "RateLimit",
    "Run",
    "RunOutcome",
    "RunStatus",
    "RunSummary",
    "Sandbox",
    "SandboxFile",
    "SandboxFileType",
    "StopResult",
    "ToolCall",
    "ToolResult",
    "UploadOutcome",
    "UploadProgress",
    "UploadUrl",
    "UploadedFile",
]
