"""The recipe for Airflow, in an Airflow with a database of its own.

Airflow is in no extra of this package: install `apache-airflow-core` to have these tests run.
`DUVO_AIRFLOW_TESTS` says that it has to be there.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from duvo_async.emulator import Emulator, Finish, Say, Sleep

DOCS = Path(__file__).parents[2] / "docs"
REQUIRED = "DUVO_AIRFLOW_TESTS" in os.environ  # which the rig takes away before a test
LIMIT = 240.0
"""Seconds after which Airflow is given up."""

pytestmark = [
    pytest.mark.no_cover,
    pytest.mark.skipif(not REQUIRED and find_spec("airflow") is None, reason="there is no Airflow"),
]

DAG = """
import json, os
from airflow.sdk import DAG
from duvo_airflow import DuvoRunOperator

with DAG("orders", schedule=None) as dag:
    first = DuvoRunOperator(
        task_id="first", agent_id=os.environ["WORKING"], message="{{ dag.dag_id }}"
    )
    many = DuvoRunOperator.partial(task_id="many", agent_id=os.environ["WORKING"]).expand(
        message=["one", "two"]
    )
    failing = DuvoRunOperator(task_id="failing", agent_id=os.environ["FAILING"], retries=2)
    first >> many >> failing

if __name__ == "__main__":
    run = dag.test()
    print("\\nSTATES", json.dumps([str(each.state) for each in run.get_task_instances()]))
"""

README = (DOCS.parent / "README.md").read_text("utf-8")
(EXAMPLE,) = [
    program
    for program in re.findall(r"^```python\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    if "airflow" in program
]

TRIGGERS = """
import asyncio
import duvo_airflow
from duvo_airflow import DuvoRunTrigger

made = []

class Counted(duvo_airflow.AsyncDuvo):
    def __init__(self):
        made.append(self)
        super().__init__()

duvo_airflow.AsyncDuvo = Counted

async def wait(run_id):
    path, arguments = DuvoRunTrigger(run_id).serialize()
    assert path == "duvo_airflow.DuvoRunTrigger"
    return [event.payload async for event in DuvoRunTrigger(**arguments).run()]

async def main():
    async with duvo_airflow.AsyncDuvo() as duvo:
        runs = [await duvo.runs.start("AGENT") for _ in range(5)]
    made.clear()
    found = await asyncio.gather(*(wait(run.id) for run in runs))
    assert found == [[{"run_id": run.id, "status": "completed"}] for run in runs]
    assert len(made) == 1
    assert duvo_airflow.shared_client._client is None
    (lost,) = await wait("00000000-0000-4000-8000-000000000000")
    assert lost["error"].startswith("NotFoundError: ")
    assert len(made) == 2

asyncio.run(main())
print("ALL IS WELL")
"""


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator() as running:
        yield running


@pytest.fixture
def environ(emulator: Emulator, tmp_path: Path) -> dict[str, str]:
    return {
        **os.environ,
        "AIRFLOW_HOME": os.fspath(tmp_path),
        "AIRFLOW__CORE__DAGS_FOLDER": os.fspath(tmp_path / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "false",
        "DUVO_API_KEY": emulator.api_key,
        "DUVO_API_BASE_URL": emulator.url,
        "PYTHONPATH": os.fspath(DOCS),
        "PYTHONWARNINGS": "",
    }


def python(environ: dict[str, str], *arguments: str) -> str:
    done = subprocess.run(  # noqa: S603 - our own words
        [sys.executable, *arguments],
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=LIMIT,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-5000:]
    return done.stdout


def test_a_dag_runs_agents_and_frees_its_workers(
    emulator: Emulator, environ: dict[str, str], tmp_path: Path
) -> None:
    environ["WORKING"] = emulator.add_agent([Sleep(0.5), Say("Posted.")])
    environ["FAILING"] = emulator.add_agent([Finish("failed")])
    (tmp_path / "dags").mkdir()
    file = tmp_path / "dags" / "orders.py"
    file.write_text(DAG, "utf-8")
    python(environ, "-m", "airflow", "db", "migrate")
    told = python(environ, os.fspath(file))
    states = json.loads(told.rpartition("STATES ")[2].splitlines()[0])
    assert sorted(states) == ["failed", "success", "success", "success"]
    starts = [each for each in emulator.requests if each.method == "POST"]
    assert [each.status for each in starts] == [201] * 4  # and none of the failed one by a retry
    assert "running trigger in line" in told
    assert emulator.api_key not in told


def test_the_readmes_dag_can_be_read(environ: dict[str, str]) -> None:
    told = python(environ, "-c", f"agent_id = 'agent'\n{EXAMPLE}\nprint('TASKS', dag.task_ids)")
    assert "TASKS ['check']" in told


def test_triggers_share_a_client(emulator: Emulator, environ: dict[str, str]) -> None:
    agent_id = emulator.add_agent([Sleep(0.5), Say("Posted.")])
    assert "ALL IS WELL" in python(environ, "-c", TRIGGERS.replace("AGENT", agent_id))
