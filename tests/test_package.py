"""What the package shows, and what importing it costs."""

import importlib.metadata
import inspect
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import duvo_async
from duvo_async import errors, models

NO_CLASSES = {"JSON", "Labels", "NOT_GIVEN", "NotGiven", "__version__"}
PUBLIC = [name for name in duvo_async.__all__ if name not in NO_CLASSES]


def test_all_names_what_exists_once() -> None:
    assert len(set(duvo_async.__all__)) == len(duvo_async.__all__)
    assert all(hasattr(duvo_async, name) for name in duvo_async.__all__)


def test_every_error_and_model_is_exported() -> None:
    wanted = {
        name
        for name, value in vars(errors).items()
        if inspect.isclass(value) and value.__module__ == errors.__name__
    }
    assert wanted | set(models.__all__) <= set(duvo_async.__all__)


def test_nothing_public_is_left_out_of_all() -> None:
    shown = {
        name
        for name, value in vars(duvo_async).items()
        if not name.startswith("_") and not inspect.ismodule(value)
    }
    assert shown <= set(duvo_async.__all__)


@pytest.mark.parametrize("name", PUBLIC)
def test_everything_public_is_documented(name: str) -> None:
    thing = getattr(duvo_async, name)
    assert inspect.getdoc(thing)
    for attribute, value in vars(thing).items():
        if not attribute.startswith("_") and (callable(value) or isinstance(value, property)):
            assert inspect.getdoc(value), f"{name}.{attribute}"


def test_the_version_is_the_distributions() -> None:
    assert duvo_async.__version__ == importlib.metadata.version("duvo-async")


def test_it_is_typed() -> None:
    assert Path(duvo_async.__file__).with_name("py.typed").exists()


def test_importing_it_loads_no_more_than_a_first_call_needs() -> None:
    program = "import duvo_async, json, sys; print(json.dumps([*sys.modules]))"
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-W", "error", "-c", program], capture_output=True, check=True, text=True
    )
    loaded = set(json.loads(done.stdout))
    assert "duvo_async.client" in loaded
    unwanted = {"aiohttp.web", "click", "rich", "duvo_async.cli", "duvo_async.emulator"}
    assert not loaded & unwanted


def test_the_dependencies_are_the_five() -> None:
    required = importlib.metadata.requires("duvo-async") or []
    names = {re.split("[^a-z]", text)[0] for text in required if "extra ==" not in text}
    assert names == {"aiohttp", "anyio", "attrs", "cattrs", "yarl"}
