"""A client that is generated for the benchmark, from the emulator's description of the API."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import aiohttp

from duvo_async.emulator import Emulator

_PACKAGE = "benchmarks_generated_client"


async def _description() -> Any:  # noqa: ANN401 - a document
    async with (
        Emulator() as emulator,
        aiohttp.ClientSession() as session,
        session.get(f"{emulator.url}/openapi.json") as response,
    ):
        return await response.json()


@contextmanager
def generated() -> Generator[str | None, None, None]:
    """Generate the client in a folder that goes away.

    Yields:
        The package's name, to be imported. None when openapi-python-client is not installed.
    """
    if find_spec("openapi_python_client") is None:
        yield None
        return
    with TemporaryDirectory() as folder:
        description = Path(folder) / "openapi.json"
        description.write_text(json.dumps(asyncio.run(_description())))
        command = [sys.executable, "-m", "openapi_python_client", "generate", "--meta", "none"]
        command += ["--path", str(description), "--output-path", str(Path(folder) / _PACKAGE)]
        subprocess.run(command, check=True, capture_output=True)  # noqa: S603 - as just written
        sys.path.insert(0, folder)
        try:
            yield _PACKAGE
        finally:
            sys.path.remove(folder)


def operation(package: str, name: str) -> Any:  # noqa: ANN401 - generated
    """Find the module of an operation."""
    return import_module(f"{package}.api.default.{name}")
