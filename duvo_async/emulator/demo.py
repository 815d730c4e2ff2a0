"""The built-in agent: reads every file of its sandbox and has its report approved."""

import hashlib
from collections.abc import Generator
from typing import Any, TypeAlias

from attrs import frozen

from duvo_async.emulator.sandboxes import WORKSPACE, SandboxEntry
from duvo_async.emulator.script import AskApproval, CallTool, ListFiles, Play, Say, StartedRun, Step

_CHUNK = 1 << 20

_Reports: TypeAlias = Generator[Step, Any, list[str]]


@frozen
class Summary:
    """What there is to say of a file's bytes.

    Attributes:
        bytes: How many there are.
        lines: How many lines, the last one also when it is unterminated.
        sha256: Their SHA-256, in hexadecimal.
    """

    bytes: int
    lines: int
    sha256: str


def summarize(entry: SandboxEntry) -> Summary:
    """Reads a file in chunks, for it may be large."""
    digest = hashlib.sha256()
    size = newlines = 0
    last = b"\n"
    with entry.open() as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
            size += len(chunk)
            newlines += chunk.count(b"\n")
            last = chunk[-1:]
    return Summary(size, newlines + (last != b"\n"), digest.hexdigest())


def demo_agent(run: StartedRun) -> Play:
    """Echoes the message, reports on each file, asks for approval, and completes."""
    yield Say(
        f"You asked: {run.message}" if run.message else "You asked for nothing in particular."
    )
    reports = yield from _report_directory(WORKSPACE)
    if not reports:
        place = "no sandbox" if run.sandbox_id is None else "a sandbox without files"
        reports = [f"I was given {place}, so there is nothing to read."]
        yield Say(reports[0])
    approved = yield AskApproval("Approve this report?", "\n".join(reports))
    if approved is not None:  # a message that came instead is acknowledged anyway
        yield Say("The report was approved." if approved else "The report was denied.")


def _report_directory(path: str) -> _Reports:
    reports: list[str] = []
    entries: tuple[SandboxEntry, ...] = yield ListFiles(path)
    for entry in entries:
        visit = _report_directory(entry.path) if entry.type == "dir" else _report_file(entry)
        reports += yield from visit
    return reports


def _report_file(entry: SandboxEntry) -> _Reports:
    summary = summarize(entry)
    result = {"bytes": summary.bytes, "lines": summary.lines, "sha256": summary.sha256}
    yield CallTool("read_file", {"path": entry.path}, result)
    name = entry.path.removeprefix(f"{WORKSPACE}/")
    count = f"{summary.lines} line{'' if summary.lines == 1 else 's'}"
    report = f"{name}: {summary.bytes} bytes, {count}, SHA-256 {summary.sha256}"
    yield Say(report)
    return [report]
