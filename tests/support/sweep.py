"""All that a test lets be seen, and the secrets that must not be in it.

Secrets are learned where they are made and used; texts are taken where they leave: what is logged,
warned of, raised, printed by commands, shown by `repr` and written into journals.
"""

import logging
import subprocess
import warnings
from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, quote_plus, urlsplit

import pytest
from attrs import define, field

from duvo_async import AsyncDuvo, ConfigurationError, DuvoError
from duvo_async._protocol import Request
from duvo_async._transport import AiohttpTransport
from duvo_async.credentials import Secret
from duvo_async.emulator.stage import Stage
from duvo_async.emulator.storage import Storage
from duvo_async.emulator.tokens import Client, Tokens
from tests.support import shell
from tests.support.discretion import said_by, told_by

_SHORTEST = 12
"""Characters that a secret has at least: shorter ones stand in texts by chance."""
_AT_ONCE = 1_000_000
"""Characters that are kept before they are looked at, so that long tests do not fill the memory."""
_SIGNED_BY = ("sig", "token", "credential")
_SQLITE = b"SQLite format 3"
_SIGNER = "botocore"
"""Signs URLs where tests have a real store, and logs how: it stands for the API, not for us."""


@define
class Sweep:
    """What one test has shown, held against the secrets that it has.

    Attributes:
        found: Where a secret was, and what stood before it.
    """

    found: list[str] = field(factory=list[str])
    _secrets: set[str] = field(factory=set[str])
    _texts: list[str] = field(factory=list[str])
    _size: int = 0

    def learn(self, *secrets: object) -> None:
        """Remember what must not be seen, in the spellings that it may have."""
        for secret in secrets:
            bare = str(secret).removeprefix("Bearer ")
            if len(bare) >= _SHORTEST:
                self._secrets |= {bare, quote(bare, safe=""), quote_plus(bare)}

    def look(self, where: str, text: str) -> None:
        """Take a text that somebody may see."""
        self._texts.append(f"\n{where}: {text}")
        self._size += len(text)
        if self._size > _AT_ONCE:
            self.judge()

    def judge(self) -> list[str]:
        """Look through all that was taken."""
        shown = "".join(self._texts)
        for secret in tuple(self._secrets):  # other threads may be learning
            at = shown.find(secret)
            if at >= 0:
                self.found.append(f"{shown[max(0, at - 300) : at]}<here>")
        self._texts.clear()
        self._size = 0
        return self.found


@contextmanager
def sweeping() -> Iterator[Sweep]:
    """Take all that is shown in the meantime."""
    sweep = Sweep()
    with pytest.MonkeyPatch.context() as patch:
        _learn_all(sweep, patch)
        _look_at_all(sweep, patch)
        _look_at_logs(sweep, patch)
        yield sweep


def look_at_journals(sweep: Sweep, folder: Path) -> None:
    """Take what the databases below a folder hold, and what is written ahead of them."""
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            with path.open("rb") as file:
                head = file.read(len(_SQLITE))
                if head == _SQLITE or path.name.endswith("-wal"):
                    sweep.look(f"journal {path.name}", (head + file.read()).decode("latin-1"))


def _after(
    patch: pytest.MonkeyPatch,
    owner: object,
    name: str,
    see: Callable[..., None],
) -> None:
    """Have something see what a function gave, and with what arguments."""
    function: Callable[..., Any] = getattr(owner, name)

    @wraps(function)
    def seen(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - as the function does
        result = function(*args, **kwargs)
        see(result, *args)
        return result

    patch.setattr(owner, name, seen)


def _learn_all(sweep: Sweep, patch: pytest.MonkeyPatch) -> None:
    def learn_result(result: object, *_: object) -> None:
        sweep.learn(result)

    def learn_stage(_: None, stage: Stage) -> None:
        sweep.learn(stage.api_key, stage.webhook_secret)

    def learn_client(_: None, __: Tokens, client: Client) -> None:
        pair = f"{quote_plus(client.id)}:{quote_plus(client.secret)}"
        sweep.learn(client.secret, b64encode(pair.encode()).decode())

    def learn_url(
        _: object, __: AiohttpTransport, ___: object, request: Request, *____: object
    ) -> None:
        if request.signed_url is not None:
            sweep.learn(*_signatures(request.signed_url))

    _after(patch, Secret, "reveal", learn_result)
    _after(patch, AiohttpTransport, "_ask", learn_url)
    _after(patch, Stage, "__attrs_post_init__", learn_stage)
    _after(patch, Stage, "rotate_webhook_secret", learn_result)
    _after(patch, Storage, "_sign", learn_result)
    _after(patch, Tokens, "add_client", learn_client)
    _after(patch, Tokens, "issue", learn_result)


def _signatures(url: str) -> Iterable[str]:
    for name, text in parse_qsl(urlsplit(url).query):
        if any(part in name.lower() for part in _SIGNED_BY):
            yield text


def _look_at_all(sweep: Sweep, patch: pytest.MonkeyPatch) -> None:
    def look_at_error(_: None, error: DuvoError, *__: object) -> None:
        sweep.look("error", repr(error.args))

    def look_at_raised(_: object, __: object, *raised: object) -> None:
        error = raised[1] if len(raised) > 1 else None
        if isinstance(error, DuvoError) and not isinstance(error, ConfigurationError):
            sweep.look("raised", told_by(error, entrances=False))
        elif isinstance(error, BaseException):
            # The functions that it went through have the arguments that were wrong.
            sweep.look("raised", said_by(error))

    def look_at_output(result: "tuple[str | bytes | None, ...]", *_: object) -> None:
        for text in result:
            sweep.look("printed", text.decode("latin-1") if isinstance(text, bytes) else str(text))

    def look_at_client(_: None, client: AsyncDuvo, *__: object) -> None:
        sweep.look("repr", repr(client))

    warn = warnings.warn

    def look_at_warning(
        message: str | Warning,
        category: type[Warning] | None = None,
        stacklevel: int = 1,
        *args: Any,  # noqa: ANN401 - as the function takes them
        **kwargs: Any,  # noqa: ANN401 - as above
    ) -> None:
        sweep.look("warned", str(message))
        warn(message, category, stacklevel + 1, *args, **kwargs)

    patch.setattr(warnings, "warn", look_at_warning)
    _after(patch, DuvoError, "__init__", look_at_error)
    _after(patch, pytest.RaisesExc, "__exit__", look_at_raised)

    def look_at_shown(_: None, text: str) -> None:
        sweep.look("shown", text)

    _after(patch, shell, "shown", look_at_shown)
    _after(patch, subprocess.Popen, "communicate", look_at_output)
    _after(patch, pytest.CaptureFixture, "readouterr", look_at_output)
    _after(patch, AsyncDuvo, "close", look_at_client)


def _look_at_logs(sweep: Sweep, patch: pytest.MonkeyPatch) -> None:
    """Have everything be logged to the sweep, and to others what they ask for."""
    is_enabled, handle = logging.Logger.isEnabledFor, logging.Logger.handle
    formatter = logging.Formatter()

    def look(logger: logging.Logger, record: logging.LogRecord) -> None:
        if logger.name.partition(".")[0] != _SIGNER:
            sweep.look("logged", formatter.format(record))
        if is_enabled(logger, record.levelno):
            handle(logger, record)

    patch.setattr(logging.Logger, "isEnabledFor", lambda *_: True)
    patch.setattr(logging.Logger, "handle", look)
