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
    assert set(duvo_async.__all__) <= set(dir(duvo_async))


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


def loaded_by(program: str) -> set[str]:
    """Tell what a program loads, in an interpreter of its own."""
    program = f"{program}\nimport json, sys; print(json.dumps([*sys.modules]))"
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-W", "error", "-c", program], capture_output=True, check=True, text=True
    )
    return set(json.loads(done.stdout))


def ours(loaded: set[str]) -> set[str]:
    return {name for name in loaded if name.partition(".")[0] == "duvo_async"}


@pytest.mark.no_cover
def test_importing_it_loads_next_to_nothing() -> None:
    loaded = loaded_by("import duvo_async")
    assert ours(loaded) == {"duvo_async", "duvo_async._lazy", "duvo_async._version"}
    assert not loaded & {"aiohttp", "attrs", "cattrs"}


@pytest.mark.no_cover
def test_a_client_loads_no_more_than_a_first_call_needs() -> None:
    loaded = loaded_by("from duvo_async import AsyncDuvo; AsyncDuvo('dv_key')")
    assert "duvo_async.resources.runs" in loaded
    unwanted = {"aiohttp.web", "click", "rich", "mcp", "sqlite3", "uvloop"}
    unwanted |= {"redis", "temporalio", "duvo_async._redis", "duvo_async.temporal"}
    unwanted |= {f"duvo_async.{name}" for name in ("cli", "emulator", "sync", "journaling")}
    unwanted |= {f"duvo_async.resources.{name}" for name in ("agents", "cases", "files", "mcp")}
    assert not loaded & unwanted
    assert len(ours(loaded)) <= 55


@pytest.mark.no_cover
def test_modules_are_there_without_being_imported() -> None:
    loaded_by("import duvo_async; duvo_async.errors.DuvoError, duvo_async.models.Run")


@pytest.mark.parametrize("name", ["Runs", "_nothing", "__wrapped__"])
def test_what_there_is_not_is_not_found(name: str) -> None:
    with pytest.raises(AttributeError, match=f"module 'duvo_async' has no attribute '{name}'"):
        getattr(duvo_async, name)
    assert not hasattr(models, name)


def test_the_dependencies_are_the_five() -> None:
    required = importlib.metadata.requires("duvo-async") or []
    names = {re.split("[^a-z]", text)[0] for text in required if "extra ==" not in text}
    assert names == {"aiohttp", "anyio", "attrs", "cattrs", "yarl"}
