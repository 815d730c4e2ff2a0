"""The README's programs run as they stand."""

import ast
import inspect
import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from types import CodeType
from typing import Any

import pytest

from duvo_async.emulator import AskApproval, AskQuestions, Emulator, Option, Question, Say, Step
from duvo_async.webhooks import sign
from tests.support.asgi import deliver
from tests.support.mcp_server import mcp_server
from tests.support.programs import free_port
from tests.support.programs import program as program_called
from tests.support.temporal_server import DEV_SERVER, dev_server

README = (Path(__file__).parent.parent / "README.md").read_text("utf-8")
PROGRAMS = [
    program
    for program in re.findall(r"^```python\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    if "airflow" not in program  # which has a test with one: tests/recipes
]


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
    assert len(PROGRAMS) >= 17


@pytest.mark.anyio
@pytest.mark.usefixtures("_order_file")
@pytest.mark.parametrize("generation", ["", "/v2"], ids=["v1", "v2"])
@pytest.mark.parametrize("program", PROGRAMS, ids=[str(n) for n in range(len(PROGRAMS))])
async def test_program(
    program: str,
    generation: str,
    emulator: Emulator,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
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
        "webhook_secret": emulator.webhook_secret,
        "port": (port := free_port()),
        "public_url": f"http://127.0.0.1:{port}/",
        "redis_url": f"redis://127.0.0.1:{free_port()}",  # there is none, which is no hindrance
    }
    with ExitStack() as stack:
        if "duvo.mcp" in program:
            url, _ = stack.enter_context(mcp_server(f"{generation or '/v1'}/mcp", emulator.api_key))
            monkeypatch.setenv("DUVO_API_BASE_URL", url + generation)
        if "temporal_address" in program:
            server = program_called(DEV_SERVER)
            if server is None:
                pytest.skip("the extra 'servers' is not installed")
            port = free_port()
            stack.enter_context(dev_server(server, tmp_path, port))
            names["temporal_address"] = f"127.0.0.1:{port}"
        await run(code, names)


SECRET = "whsec_1"
ASKED = b'{"event": "human_request_created", "run_id": "r-1", "title": "Post?"}'


def app_of(framework: str) -> Any:  # noqa: ANN401 - of a framework
    (program,) = [each for each in PROGRAMS if f"import {framework}" in each]
    names: dict[str, Any] = {"webhook_secret": SECRET}
    exec(program, names)  # noqa: S102 - our own README
    return names["app"]


DELIVERIES = [
    (ASKED, SECRET, 200),
    (b"{}", SECRET, 400),
    (ASKED, "whsec_2", 401),
]


@pytest.mark.anyio
@pytest.mark.parametrize(("body", "secret", "status"), DELIVERIES)
async def test_the_fastapi_program_answers(body: bytes, secret: str, status: int) -> None:
    assert await deliver(app_of("FastAPI"), body, sign(body, secret)) == status


@pytest.mark.parametrize(("body", "secret", "status"), DELIVERIES)
def test_the_flask_program_answers(
    body: bytes, secret: str, status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    client = app_of("Flask").test_client()
    assert client.post("/duvo", data=body, headers=sign(body, secret)).status_code == status
    assert capsys.readouterr().out == ("r-1 asks: Post?\n" if status == 200 else "")


async def run(code: CodeType, names: dict[str, object]) -> None:
    if code.co_flags & inspect.CO_COROUTINE:
        await eval(code, names)  # noqa: S307 - our own README
    else:
        exec(code, names)  # noqa: S102 - as above
