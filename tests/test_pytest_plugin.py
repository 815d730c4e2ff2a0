"""The pytest plugin, in suites of its own: with each runner, under warnings that are errors."""

import os
import re
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

pytestmark = pytest.mark.once

ANYIO = """
    import pytest
    pytestmark = pytest.mark.anyio

    @pytest.fixture
    def anyio_backend():
        return "asyncio"
"""
STRICT = """
    import pytest
    pytestmark = pytest.mark.asyncio
"""
AUTO = """
    import pytest
"""
TESTS = """
    from duvo_async import AsyncDuvo, PermissionDeniedError, RetryPolicy
    from duvo_async.emulator import AskApproval, Say, Sleep

    async def test_a_run(duvo_emulator, duvo):
        agent_id = duvo_emulator.add_agent([AskApproval("Post?"), Say("Posted.")])
        run = await duvo.runs.execute(
            agent_id, on_human_request=lambda pending: pending.request.approve()
        )
        assert run.succeeded
        assert duvo_emulator.requests[0].path == "/v1/runs"

    async def test_time(duvo_emulator, duvo):
        run = await duvo.runs.start(duvo_emulator.add_agent([Sleep(3600)]))
        duvo_emulator.jump(3600)
        assert (await duvo.runs.wait(run, timeout=30)).succeeded

    async def test_faults(duvo_emulator, duvo):
        duvo_emulator.fail(403)
        with pytest.raises(PermissionDeniedError):
            await duvo.health()
        duvo_emulator.drop()
        quick = duvo.with_options(retry=RetryPolicy(initial_delay=0))
        assert await quick.health()

    async def test_code_that_makes_its_own_client(duvo_emulator):
        async with AsyncDuvo() as client:
            assert await client.health()

    async def test_a_failure_is_the_tests_own(duvo):
        await duvo.health()
        with pytest.raises(ZeroDivisionError):
            1 / 0

    class TestIt:
        async def test_in_a_class(self, duvo):
            assert await duvo.health()

    @pytest.mark.parametrize("number", [1, 2])
    async def test_parametrized(duvo, number):
        assert await duvo.health()
"""
PLAIN = """
    import asyncio
    import os
    import pytest
    from duvo_async import Duvo
    from duvo_async.emulator import Say, Sleep

    def test_a_run(duvo_emulator, duvo_sync):
        assert duvo_sync.runs.execute(duvo_emulator.add_agent([Say("Done.")])).succeeded

    def test_time(duvo_emulator, duvo_sync):
        run = duvo_sync.runs.start(duvo_emulator.add_agent([Sleep(3600)]))
        duvo_emulator.jump(3600)
        assert duvo_sync.runs.wait(run, timeout=30).succeeded

    def test_the_environment_leads_there(duvo_emulator):
        assert "DUVO_TEAM_ID" not in os.environ
        with Duvo() as client:
            assert client.base_url == duvo_emulator.url
            assert client.health()

    def test_a_loop_of_its_own(duvo):
        async def main():
            async with duvo:
                return await duvo.health()

        assert asyncio.run(main())

    def test_made_and_not_used(duvo):
        assert duvo.base_url
"""
OVERRIDDEN = """
    import pytest
    pytestmark = pytest.mark.asyncio(loop_scope="module")
    from duvo_async import AsyncDuvo
    from duvo_async.emulator import Emulator

    @pytest.fixture(scope="module")
    def server():
        with Emulator() as emulator:
            yield emulator

    @pytest.fixture(scope="module")
    def duvo(server):
        return AsyncDuvo(server.api_key, base_url=server.url)

    async def test_one(duvo):
        assert await duvo.health()

    async def test_two(duvo):
        assert await duvo.health()
        await duvo.close()
"""
LOADED = """
    import sys

    def test_nothing_is_loaded_that_nobody_asked_for():
        assert not [name for name in sys.modules if name.startswith("duvo_async.emulator")]
"""


def run(folder: Path, suite: str, *options: str) -> "subprocess.CompletedProcess[str]":
    (folder / "test_it.py").write_text(dedent(suite))
    # Without this pytest-asyncio warns of its own future.
    scope = "asyncio_default_fixture_loop_scope=function"
    if "no:asyncio" not in options:
        options = ("-o", scope, *options)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:randomly"]
    # What these tests were told is not for those.
    env = {name: text for name, text in os.environ.items() if not name.startswith("PYTEST_")}
    return subprocess.run(  # noqa: S603 - pytest
        [*command, "-p", "no:xdist", "-p", "no:cacheprovider", "-W", "error", *options],
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.mark.no_cover
@pytest.mark.parametrize(
    ("suite", "passed", "options"),
    [
        (ANYIO + TESTS, 8, ["-p", "no:asyncio"]),
        (ANYIO + TESTS, 8, []),
        (STRICT + TESTS, 8, ["-p", "no:anyio"]),
        (STRICT + TESTS, 8, []),
        (AUTO + TESTS, 8, ["-o", "asyncio_mode=auto"]),
        (PLAIN, 5, ["-p", "no:asyncio", "-p", "no:anyio"]),
        (OVERRIDDEN, 2, []),
        (LOADED, 1, []),
    ],
    ids=[
        "anyio alone",
        "anyio",
        "asyncio alone",
        "strict",
        "auto",
        "plain",
        "overridden",
        "loaded",
    ],
)
def test_a_suite(
    tmp_path: Path, suite: str, passed: int, options: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DUVO_TEAM_ID", "not the tests' business")
    done = run(tmp_path, suite, *options)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{passed} passed" in done.stdout
    assert "warning" not in done.stdout


def test_a_test_that_fails_closes_its_client_and_fails(tmp_path: Path) -> None:
    suite = (
        ANYIO + "\n    async def test(duvo):\n        await duvo.health()\n        assert False\n"
    )
    done = run(tmp_path, suite)
    assert "1 failed" in done.stdout
    assert "Unclosed" not in done.stdout + done.stderr


def test_pytest_lists_the_fixtures(tmp_path: Path) -> None:
    done = run(tmp_path, PLAIN, "--fixtures")
    for name in ("duvo_emulator", "duvo", "duvo_sync"):
        assert f"\n{name} --" in done.stdout


def test_the_readmes_program_passes(tmp_path: Path) -> None:
    readme = (Path(__file__).parent.parent / "README.md").read_text("utf-8")
    programs = re.findall(r"^```python\n(.*?)^```$", readme, re.MULTILINE | re.DOTALL)
    (program,) = [each for each in programs if "def test_" in each]
    done = run(tmp_path, program, "-o", "asyncio_mode=auto")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 passed" in done.stdout
