from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.emulator.conftest import Api

FILES = {"b.csv": b"a\nb\n", "a/x.txt": b"a\nb", "empty": b"", "big.bin": b"0123456\n" * 400_000}
SIZES = {"b.csv": (4, 2), "a/x.txt": (3, 2), "empty": (0, 0), "big.bin": (3_200_000, 400_000)}


def start(api: Api, files: dict[str, bytes] | None, **fields: str) -> str:
    if files is not None:
        fields["sandbox_id"] = api.create_sandbox()
        for path, data in files.items():
            api.upload(fields["sandbox_id"], path, data)
    response = api.post("/v1/runs", {"agent_id": api.emulator.demo_agent_id, **fields})
    run_id: str = response.json()["run"]["id"]
    return run_id


def test_the_demo_agent_reports_on_every_file(api: Api) -> None:
    run_id = start(api, FILES, message="Look")
    _, echo, *reports = api.texts(run_id)
    order = ["a/x.txt", "b.csv", "big.bin", "empty"]
    expected = [
        f"{name}: {SIZES[name][0]} bytes, {SIZES[name][1]} lines, "
        f"SHA-256 {hashlib.sha256(FILES[name]).hexdigest()}"
        for name in order
    ]
    assert echo == "You asked: Look"
    assert reports == expected
    pending = api.pending(run_id)
    assert pending["type"] == "approval"
    assert pending["description"] == "\n".join(expected)


def test_the_demo_agent_calls_a_tool_for_each_file(api: Api) -> None:
    messages = api.messages(start(api, {"b.csv": FILES["b.csv"]}))
    (call,) = [each["tool_call"] for each in messages if "tool_call" in each]
    (result,) = [each["tool_result"] for each in messages if "tool_result" in each]
    assert (call["name"], call["arguments"]) == ("read_file", {"path": "/workspace/b.csv"})
    digest = hashlib.sha256(FILES["b.csv"]).hexdigest()
    assert result["result"] == {"bytes": 4, "lines": 2, "sha256": digest}


@pytest.mark.parametrize(
    ("approved", "said"), [(True, "The report was approved."), (False, "The report was denied.")]
)
def test_the_demo_agent_has_its_report_approved(api: Api, said: str, *, approved: bool) -> None:
    run_id = start(api, FILES)
    assert api.respond(run_id, {"approved": approved}).status == 200
    assert api.status(run_id) == "completed"
    assert api.texts(run_id)[-1] == said


def test_the_demo_agent_takes_a_message_instead(api: Api) -> None:
    run_id = start(api, FILES)
    api.post(f"/v1/runs/{run_id}/messages", {"message": "never mind"})
    assert api.status(run_id) == "completed"
    assert api.texts(run_id)[-1] == "Noted: never mind"


@pytest.mark.parametrize(
    ("files", "said"),
    [(None, "I was given no sandbox"), ({}, "I was given a sandbox without files")],
)
def test_the_demo_agent_says_when_there_is_nothing(
    api: Api, files: dict[str, bytes] | None, said: str
) -> None:
    run_id = start(api, files)
    echo, nothing = api.texts(run_id)
    assert echo == "You asked for nothing in particular."
    assert nothing.startswith(said)
    assert api.status(run_id) == "waiting"
