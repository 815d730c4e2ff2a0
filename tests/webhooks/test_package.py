"""What the package shows, and what importing it costs."""

import inspect
import json
import subprocess
import sys

import pytest

import duvo_async
from duvo_async import webhooks

SERVER = {"aiohttp.web", "duvo_async.webhooks.receiver", "duvo_async.webhooks.handling"}


def loaded_by(program: str) -> set[str]:
    program = f"{program}\nimport json, sys; print(json.dumps([*sys.modules]))"
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-W", "error", "-c", program], capture_output=True, check=True, text=True
    )
    return set(json.loads(done.stdout))


@pytest.mark.parametrize(
    "program",
    [
        "import duvo_async",
        "import duvo_async.webhooks",
        "from duvo_async.webhooks import parse, sign, verify",
    ],
)
def test_no_server_is_loaded_before_there_is_a_receiver(program: str) -> None:
    assert not loaded_by(program) & SERVER


def test_a_receiver_loads_its_server() -> None:
    assert loaded_by("from duvo_async.webhooks import WebhookReceiver") >= SERVER


def test_the_package_is_not_loaded_with_the_sdk() -> None:
    assert "duvo_async.webhooks.parsing" not in loaded_by("import duvo_async")


def test_all_is_sorted_and_there() -> None:
    names = webhooks.__all__
    assert list(names) == sorted(set(names))
    assert all(getattr(webhooks, name) is not None for name in names)


def test_nothing_public_is_left_out_of_all() -> None:
    shown = {
        name
        for name, value in vars(webhooks).items()
        if not name.startswith("_") and not inspect.ismodule(value)
    }
    assert shown - {"TYPE_CHECKING"} <= set(webhooks.__all__)


def test_another_name_is_not_there() -> None:
    with pytest.raises(AttributeError, match=r"'duvo_async\.webhooks' has no attribute 'Nothing'"):
        _ = webhooks.Nothing


@pytest.mark.parametrize("name", [each for each in webhooks.__all__ if each != "Secrets"])
def test_everything_public_is_documented(name: str) -> None:
    thing = getattr(webhooks, name)
    assert inspect.getdoc(thing)
    if inspect.isclass(thing):
        for attribute, value in vars(thing).items():
            if not attribute.startswith("_") and (callable(value) or isinstance(value, property)):
                assert inspect.getdoc(value), f"{name}.{attribute}"


@pytest.mark.parametrize(
    "name", ["WebhookError", "WebhookPayloadError", "WebhookVerificationError"]
)
def test_the_errors_are_the_sdks(name: str) -> None:
    error = getattr(duvo_async, name)
    assert name in duvo_async.__all__
    assert issubclass(error, duvo_async.WebhookError)
    assert issubclass(error, duvo_async.DuvoError)
    assert issubclass(error, ValueError)
