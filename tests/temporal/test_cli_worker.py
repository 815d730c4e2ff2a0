"""`duvo-async worker`."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from click import ClickException
from temporalio.client import Client

from duvo_async.cli.output import Output
from duvo_async.cli.worker import Place, Working
from duvo_async.emulator import Emulator, Say
from duvo_async.temporal import DurableRun, DuvoRunWorkflow
from tests.support.patience import limited
from tests.support.programs import guarded
from tests.support.shell import environment, shell

WORKER = [sys.executable, "-W", "error", "-m", "duvo_async.cli", "worker"]


@limited
@pytest.mark.anyio
@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGINT])
async def test_it_works_until_it_is_told_to_end(
    end: signal.Signals, temporal: Client, emulator: Emulator, queue: str, tmp_path: Path
) -> None:
    log, address = tmp_path / "log", temporal.service_client.config.target_host
    options = ["--address", address, "--task-queue", queue, "--max-activities", "10"]
    with guarded([*WORKER, *options], log, environment(emulator)) as process:
        run = await temporal.execute_workflow(
            DuvoRunWorkflow.run,
            DurableRun(agent_id=emulator.add_agent([Say("Done.")])),
            id=queue,
            task_queue=queue,
        )
        assert run.succeeded
        process.send_signal(end)
        code = process.wait()
    said = log.read_text()
    assert f"working on the task queue {queue!r} until Ctrl-C\n" in said
    assert "Traceback" not in said
    assert code == 0, said


def test_a_server_that_is_not_there_is_an_error(emulator_key: dict[str, str]) -> None:
    done = shell("worker", "--address", "127.0.0.1:1", env=emulator_key)
    assert done.returncode == 1
    assert done.stderr.startswith("Error: cannot work for 127.0.0.1:1: ")
    assert emulator_key["TEMPORAL_API_KEY"] not in done.stderr + done.stdout


@pytest.mark.parametrize(("key", "tls"), [("temporal-key-of-a-test", True), (None, False)])
def test_a_key_goes_over_tls_only(
    monkeypatch: pytest.MonkeyPatch, *, key: str | None, tls: bool
) -> None:
    told: dict[str, object] = {}

    async def connect(_: str, **how: object) -> None:
        told.update(how)
        raise RuntimeError("nobody there")

    monkeypatch.setenv("DUVO_API_KEY", "dv_key_of_a_test")
    monkeypatch.setattr(Client, "connect", connect)
    place = Place("127.0.0.1:1", "default", tls=False, api_key=key)
    assert "temporal-key" not in repr(place)
    with pytest.raises(ClickException, match="nobody there"):
        Working(place, "duvo", {}, Output()).perform()
    assert (told["api_key"], told["tls"]) == (key, tls)


def test_wrong_numbers_and_a_missing_key_are_errors(emulator_key: dict[str, str]) -> None:
    assert shell("worker", "--max-activities", "0", env=emulator_key).returncode == 1
    assert shell("worker", env={}).returncode == 2  # as everywhere: no credentials


def test_without_the_extra_it_says_so(emulator_key: dict[str, str]) -> None:
    hidden = "import sys; sys.modules['temporalio'] = None; sys.argv = ['duvo-async', 'worker']; "
    program = f"{hidden}from duvo_async.cli import main; main()"
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", program],
        capture_output=True,
        check=False,
        env=environment(None) | emulator_key,
        text=True,
    )
    assert done.returncode == 1
    assert done.stderr == (
        'duvo-async: duvo_async.temporal needs more: python -m pip install "duvo-async[temporal]"\n'
    )


def test_the_help_says_where_the_keys_come_from() -> None:
    said = " ".join(shell("worker", "--help").stdout.split())
    assert "TEMPORAL_API_KEY" in said
    assert "localhost:7233" in said
    assert "--api-key" not in said


@pytest.fixture
def emulator_key() -> dict[str, str]:
    return {"DUVO_API_KEY": "dv_key_of_a_test", "TEMPORAL_API_KEY": "temporal-key-of-a-test"}
