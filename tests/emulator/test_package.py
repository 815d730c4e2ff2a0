from __future__ import annotations

import ast
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import duvo_async.emulator

if TYPE_CHECKING:
    from collections.abc import Iterator

FOLDER = Path(duvo_async.emulator.__file__).parent
ALLOWED = {"aiohttp", "anyio", "attrs", "yarl"}


def imported(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            yield node.module or ""


def test_the_emulator_shares_nothing_with_the_client() -> None:
    for file in FOLDER.glob("**/*.py"):
        for name in imported(file.read_text()):
            root = name.partition(".")[0]
            own = f"{name}.".startswith("duvo_async.emulator.")
            assert own or root in ALLOWED | sys.stdlib_module_names, (file.name, name)


def test_only_the_sockets_know_aiohttp() -> None:
    users = {file.name for file in FOLDER.glob("*.py") if "aiohttp" in file.read_text()}
    assert users == {"courier.py", "server.py"}


def test_all_is_sorted_and_there() -> None:
    names = duvo_async.emulator.__all__
    assert list(names) == sorted(names)
    assert all(hasattr(duvo_async.emulator, name) for name in names)
