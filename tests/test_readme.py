"""The README's programs run as they stand."""

import ast
import inspect
import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from types import CodeType

import pytest

from duvo_async.emulator import AskApproval, AskQuestions, Emulator, Option, Question, Say, Step
from tests.support.mcp_server import mcp_server

README = (Path(__file__).parent.parent / "README.md").read_text("utf-8")
PROGRAMS = re.findall(r"^```python\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"  # real time: the blocking programs have a loop of their own


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator() as running:
        yield running


@pytest.fixture
def _order_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    Path("orders.csv").write_text("id,total\n7,12.50\n", "utf-8")
    for scan in ("invoices/1.pdf", "scans/2026/2.pdf"):
        Path(scan).parent.mkdir(parents=True)
        Path(scan).write_bytes(b"%PDF")


def test_there_are_programs() -> None:
    assert len(PROGRAMS) >= 13


@pytest.mark.anyio
@pytest.mark.usefixtures("_order_file")
@pytest.mark.parametrize("generation", ["", "/v2"], ids=["v1", "v2"])
@pytest.mark.parametrize("program", PROGRAMS, ids=[str(n) for n in range(len(PROGRAMS))])
async def test_program(
    program: str, generation: str, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DUVO_API_KEY", emulator.api_key)
    monkeypatch.setenv("DUVO_API_BASE_URL", emulator.url + generation)
    script: list[Step] = [Say("Looking."), Say("Done.")]
    if "answer({" in program or "questions" in program:
        script.insert(1, AskQuestions("Which?", [Question("Book?", options=[Option("A")])]))
    elif "pending.request.approve" in program:
        script.insert(1, AskApproval("Post?"))
    code = compile(program, "README.md", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    names: dict[str, object] = {
        "agent_id": emulator.add_agent(script),
        "client_id": emulator.client_id,
        "client_secret": emulator.client_secret,
    }
    with ExitStack() as stack:
        if "duvo.mcp" in program:
            url, _ = stack.enter_context(mcp_server(f"{generation or '/v1'}/mcp", emulator.api_key))
            monkeypatch.setenv("DUVO_API_BASE_URL", url + generation)
        await run(code, names)


async def run(code: CodeType, names: dict[str, object]) -> None:
    if code.co_flags & inspect.CO_COROUTINE:
        await eval(code, names)  # noqa: S307 - our own README
    else:
        exec(code, names)  # noqa: S102 - as above
