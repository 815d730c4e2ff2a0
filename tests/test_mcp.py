"""Sessions with a real MCP server, made with the official package."""

import logging
import socket
import sys
from collections.abc import Iterator

import pytest
from mcp import ClientSession
from mcp.types import TextContent

from duvo_async import APIConnectionError, AsyncDuvo, ConfigurationError, Duvo
from duvo_async.settings import APIVersion
from tests.support.mcp_server import Guard, mcp_server

pytestmark = pytest.mark.anyio
KEY = "dv_key-of-the-mcp-tests"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"  # real time: the server has a loop of its own, in a thread


@pytest.fixture(params=["v1", "v2"])
def version(request: pytest.FixtureRequest) -> APIVersion:
    found: APIVersion = request.param
    return found


@pytest.fixture
def server(version: APIVersion) -> Iterator[tuple[str, Guard]]:
    with mcp_server(f"/{version}/mcp", KEY) as running:
        yield running


async def doubled(session: ClientSession, number: int) -> str:
    content = (await session.call_tool("double", {"number": number})).content[0]
    assert isinstance(content, TextContent)
    return content.text


async def test_a_session_calls_tools_with_the_key(
    server: tuple[str, Guard], version: APIVersion
) -> None:
    url, guard = server
    async with (
        AsyncDuvo(KEY, base_url=url, api_version=version, team_id="t") as duvo,
        duvo.mcp.session() as session,
    ):
        assert isinstance(session, ClientSession)
        assert [each.name for each in (await session.list_tools()).tools] == ["double"]
        assert await doubled(session, 21) == "42"
        assert duvo.rate_limit is not None
        assert duvo.rate_limit.remaining == 123
        assert duvo.mcp.url == f"{url}/{version}/mcp"
    assert {(path, token) for _, path, token in guard.seen} == {(f"/{version}/mcp", KEY)}


async def test_options_are_the_sessions(server: tuple[str, Guard], version: APIVersion) -> None:
    told: list[object] = []

    async def hear(message: object) -> None:
        told.append(message)

    async with (
        AsyncDuvo(KEY, base_url=server[0], api_version=version, team_id="t") as duvo,
        duvo.mcp.session(message_handler=hear, read_timeout_seconds=20) as session,
    ):
        assert await doubled(session, 2) == "4"


async def test_a_refused_token_is_renewed_once(
    server: tuple[str, Guard], version: APIVersion
) -> None:
    url, guard = server
    guard.tokens = {"second"}
    given = iter(["first", "second"])
    current = [next(given)]

    def token() -> str:
        if guard.refusals and current[0] == "first":
            current[0] = next(given)
        return current[0]

    async with (
        AsyncDuvo(auth=token, base_url=url, api_version=version, team_id="t") as duvo,
        duvo.mcp.session() as session,
    ):
        assert await doubled(session, 4) == "8"
    assert guard.refusals == 1


async def test_a_wrong_key_is_an_error_that_does_not_show_it(
    server: tuple[str, Guard], version: APIVersion, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    wrong = "dv_wrong-key-that-nobody-sees"
    with pytest.raises(Exception, match=r"(?s).+") as failed:
        async with (
            AsyncDuvo(wrong, base_url=server[0], api_version=version, team_id="t") as duvo,
            duvo.mcp.session(),
        ):
            pass
    assert wrong not in repr(failed.value) + str(failed.value) + caplog.text
    assert server[1].refusals == 1


async def test_no_server_is_a_connection_error() -> None:
    with socket.socket() as place:
        place.bind(("127.0.0.1", 0))
        host, port = place.getsockname()
        with pytest.raises(APIConnectionError, match="POST /v1/mcp"):
            async with AsyncDuvo(KEY, base_url=f"http://{host}:{port}") as duvo, duvo.mcp.session():
                pass


async def test_an_error_of_the_callers_own_comes_out_as_it_is(
    server: tuple[str, Guard], version: APIVersion
) -> None:
    with pytest.raises(KeyError, match="mine"):
        async with (
            AsyncDuvo(KEY, base_url=server[0], api_version=version, team_id="t") as duvo,
            duvo.mcp.session(),
        ):
            raise KeyError("mine")


async def test_without_the_package_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mcp", None)
    async with AsyncDuvo(KEY, base_url="http://127.0.0.1:9") as duvo:
        with pytest.raises(ConfigurationError, match=r"duvo-async\[mcp\]"):
            duvo.mcp.session()


def test_a_blocking_client_has_none() -> None:
    with Duvo(KEY, base_url="http://127.0.0.1:9") as duvo:
        assert not hasattr(duvo, "mcp")
