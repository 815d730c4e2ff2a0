"""What is planted is found: the sweep of each test sees all the ways that a secret can take."""

import logging
import sqlite3
import subprocess
import sys
import warnings
from base64 import b64encode
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from duvo_async import AsyncDuvo, ClientClosedError, ConfigurationError, Duvo, DuvoError
from duvo_async.credentials import Secret
from duvo_async.emulator import Emulator
from tests.support.shell import piped, terminal
from tests.support.sweep import Sweep, look_at_journals, sweeping

pytestmark = [pytest.mark.anyio, pytest.mark.unswept]

SECRET = "dv_that/nobody+may=see"


def fail() -> None:
    raise LookupError(SECRET)


def log_lazily() -> None:
    logging.getLogger("anybody").debug("with %s", SECRET)


def log_a_traceback() -> None:
    try:
        fail()
    except LookupError:
        logging.getLogger("anybody").exception("oh")


def warn() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.warn(f"no {SECRET}", stacklevel=1)


def make_an_error_that_is_stored() -> None:
    ConfigurationError(f"wrong: {SECRET}")


def raise_it() -> None:
    with pytest.raises(LookupError):
        fail()


def raise_from_it() -> None:
    def fail_anew() -> None:
        try:
            fail()
        except LookupError:
            raise ConfigurationError("else") from None

    with pytest.raises(DuvoError):
        fail_anew()


def print_in_a_process() -> None:
    subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", f"print({SECRET!r})"], check=True, capture_output=True
    )


@pytest.mark.parametrize(
    "leak",
    [
        log_lazily,
        log_a_traceback,
        warn,
        make_an_error_that_is_stored,
        raise_it,
        raise_from_it,
        print_in_a_process,
    ],
)
def test_what_leaks_is_found(leak: Callable[[], None]) -> None:
    with sweeping() as sweep:
        Secret(f"Bearer {SECRET}").reveal()
        leak()
    assert sweep.judge()


@pytest.mark.parametrize("spelling", [SECRET, quote(SECRET, safe="")])
def test_however_it_is_spelt(spelling: str) -> None:
    sweep = Sweep()
    sweep.learn(SECRET)
    sweep.look("log", f"a {spelling} b")
    (found,) = sweep.judge()
    assert found == "\nlog: a <here>"  # and is not shown once more


def test_nothing_is_found_where_nothing_is() -> None:
    with sweeping() as sweep:
        Secret("short").reveal()
        Secret(SECRET).reveal()
        logging.getLogger("anybody").debug("short %s", SECRET[:-1])
    assert not sweep.judge()


def test_what_is_long_is_looked_at_on_the_way() -> None:
    sweep = Sweep()
    sweep.learn(SECRET)
    sweep.look("log", SECRET)
    sweep.look("log", "x" * 2_000_000)
    assert sweep.found


def test_what_is_printed_is_found(capsys: pytest.CaptureFixture[str]) -> None:
    with sweeping() as sweep:
        sweep.learn(SECRET)
        print(SECRET)  # noqa: T201 - the leak
        capsys.readouterr()
    assert sweep.judge()


LIBRARY = """
def entrance(argument, error):
    within(argument, error)

def within(argument, error):
    raise error
"""


@pytest.mark.parametrize(
    ("function", "error", "found"),
    [
        ("entrance", ClientClosedError("closed"), True),
        ("within", ClientClosedError("closed"), False),  # the test has given it that itself
        ("entrance", ConfigurationError("wrong"), False),  # the argument that was wrong
    ],
)
def test_what_functions_know_on_an_errors_way_is_found(
    function: str, error: DuvoError, *, found: bool
) -> None:
    library: dict[str, Any] = {}
    exec(compile(LIBRARY, "library.py", "exec"), library)  # noqa: S102 - not below tests/
    with sweeping() as sweep:
        sweep.learn(SECRET)
        with pytest.raises(DuvoError):
            library[function](SECRET, error)
    assert bool(sweep.judge()) is found


def test_what_a_command_shows_is_found() -> None:
    with (
        sweeping() as sweep,
        Emulator(api_key=SECRET) as emulator,
        piped("upload", SECRET, emulator=emulator) as process,
    ):
        process.wait(30)
    assert sweep.judge()
    with (
        sweeping() as sweep,
        Emulator(api_key=SECRET) as emulator,
        terminal("upload", SECRET, emulator=emulator) as screen,
        suppress(AssertionError),
    ):
        screen.expect("nothing like it")
    assert sweep.judge()


def test_what_a_journal_holds_is_found(tmp_path: Path) -> None:
    sweep = Sweep()
    sweep.learn(SECRET)
    with closing(sqlite3.connect(tmp_path / "j")) as database:
        database.execute("CREATE TABLE t (a)")
        database.execute("INSERT INTO t VALUES (?)", (SECRET,))
        database.commit()
    look_at_journals(sweep, tmp_path)
    assert sweep.judge()


def test_what_a_client_shows_of_itself_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    def tell_all(_: AsyncDuvo) -> str:
        return SECRET

    monkeypatch.setattr(AsyncDuvo, "__repr__", tell_all)
    with (
        sweeping() as sweep,
        Emulator(api_key=SECRET) as emulator,
        Duvo(emulator.api_key, base_url=emulator.url) as duvo,
    ):
        assert duvo.health()
    assert sweep.judge()


async def test_the_emulators_secrets_are_known() -> None:
    with sweeping() as sweep:
        async with Emulator() as emulator:
            pair = f"{emulator.client_id}:{quote(emulator.client_secret, safe='')}"
            told = [emulator.api_key, emulator.webhook_secret, emulator.client_secret]
            told += [b64encode(pair.encode()).decode(), emulator.rotate_webhook_secret()]
            async with AsyncDuvo(emulator.api_key, base_url=emulator.url) as duvo:
                sandbox = await duvo.sandboxes.create()
                url = await duvo.sandboxes.create_upload_url(sandbox.sandbox_id, "x")
                told.append(url.upload_url.rpartition("=")[2])
    for secret in told:
        sweep.look("here", secret)
        assert sweep.judge(), secret
        sweep.found.clear()
