"""A server of the Duvo API for tests: strict in what it takes, scripted in what its agents do.

with Emulator() as emulator:
    agent_id = emulator.add_agent([Say("hi"), AskApproval("Post the entries?"), Finish()])
    ...  # use emulator.url and emulator.api_key
"""

from duvo_async.emulator.cases import CaseEntry
from duvo_async.emulator.emulator import Emulator
from duvo_async.emulator.exchange import Request, RequestRecord, Response
from duvo_async.emulator.sandboxes import SandboxEntry
from duvo_async.emulator.script import (
    AskApproval,
    AskQuestions,
    CallTool,
    Finish,
    ListFiles,
    Option,
    Question,
    ReadFile,
    Say,
    Script,
    Sleep,
    StartedRun,
    Step,
)
from duvo_async.emulator.webhook_faults import WebhookFaults
from duvo_async.emulator.webhooks import Delivery

__all__ = [
    "AskApproval",
    "AskQuestions",
    "CallTool",
    "CaseEntry",
    "Delivery",
    "Emulator",
    "Finish",
    "ListFiles",
    "Option",
    "Question",
    "ReadFile",
    "Request",
    "RequestRecord",
    "Response",
    "SandboxEntry",
    "Say",
    "Script",
    "Sleep",
    "StartedRun",
    "Step",
    "WebhookFaults",
]
