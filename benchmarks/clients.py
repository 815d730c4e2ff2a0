"""Who is compared in the benchmark of calls: each reads a run, starts one and reads messages.

What is not installed is left out.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime
from importlib import import_module
from importlib.util import find_spec
from itertools import cycle
from typing import Any
from uuid import UUID

import aiohttp
from attrs import frozen

from benchmarks.answers import AGENT_ID, PAGE, RUN_IDS
from benchmarks.generated import operation
from duvo_async import AsyncDuvo

KEY = "dv_key"
AUTHORIZATION = {"Authorization": f"Bearer {KEY}"}
MESSAGE = "Reconcile these"
_QUERY = f"limit={PAGE}&offset=0"


@frozen
class Client:
    """One way to make the calls.

    Attributes:
        get: Reads a run.
        start: Starts one.
        page: Reads a page of its messages.
    """

    get: Callable[[], Awaitable[object]]
    start: Callable[[], Awaitable[object]]
    page: Callable[[], Awaitable[object]]


def ids() -> Iterator[str]:
    """Give the runs by turns."""
    return cycle(RUN_IDS)


@asynccontextmanager
async def clients(url: str, package: str | None) -> AsyncGenerator[dict[str, Client], None]:
    """Open all that are installed.

    Args:
        url: Where the server is.
        package: The generated client. None when there is none.
    """
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(aiohttp.ClientSession(headers=AUTHORIZATION))
        duvo = await stack.enter_async_context(AsyncDuvo(KEY, base_url=url))
        found = {
            "raw aiohttp": by_hand(session, url),
            "duvo_async": typed(duvo),
            "control": by_hand(session, url),
        }
        if find_spec("httpx") and find_spec("pydantic"):
            httpx: Any = import_module("httpx")
            other = await stack.enter_async_context(httpx.AsyncClient(headers=AUTHORIZATION))
            found["httpx + pydantic"] = with_httpx(other, url)
        if find_spec("openai"):
            openai: Any = import_module("openai")
            other = openai.AsyncOpenAI(api_key=KEY, base_url=f"{url}/v1", max_retries=0)
            found["openai-python"] = with_openai(await stack.enter_async_context(other), openai)
        if package is not None:
            module = import_module(f"{package}.client")
            other = module.AuthenticatedClient(base_url=url, token=KEY)
            found["generated"] = with_generated(await stack.enter_async_context(other), package)
        yield found


def by_hand(session: aiohttp.ClientSession, url: str) -> Client:
    """Do what a good engineer writes: untyped, without retries, pacing and errors."""
    base, runs = f"{url}/v1", ids()

    async def get() -> object:
        async with session.get(f"{base}/runs/{next(runs)}") as response:
            return (await response.json())["run"]

    async def start() -> object:
        body = {"agent_id": AGENT_ID, "message": MESSAGE}
        async with session.post(f"{base}/runs", json=body) as response:
            return (await response.json())["run"]

    async def page() -> object:
        async with session.get(f"{base}/runs/{next(runs)}/messages?{_QUERY}") as response:
            return await response.json()

    return Client(get, start, page)


def typed(duvo: AsyncDuvo) -> Client:
    """Use this package."""
    runs = ids()
    return Client(
        lambda: duvo.runs.get(next(runs)),
        lambda: duvo.runs.start(AGENT_ID, message=MESSAGE),
        lambda: duvo.runs.messages_page(next(runs), limit=PAGE),
    )


def with_httpx(session: Any, url: str) -> Client:  # noqa: ANN401 - may not be installed
    """Use httpx, and pydantic for the answers."""
    base, runs = f"{url}/v1", ids()
    answer, messages = models(import_module("pydantic").BaseModel)

    async def get() -> object:
        response = await session.get(f"{base}/runs/{next(runs)}")
        return answer.model_validate_json(response.content).run

    async def start() -> object:
        body = {"agent_id": AGENT_ID, "message": MESSAGE}
        response = await session.post(f"{base}/runs", json=body)
        return answer.model_validate_json(response.content).run

    async def page() -> object:
        response = await session.get(f"{base}/runs/{next(runs)}/messages?{_QUERY}")
        return messages.model_validate_json(response.content)

    return Client(get, start, page)


def with_openai(client: Any, openai: Any) -> Client:  # noqa: ANN401 - as above
    """Use openai-python, an SDK of the kind that Stainless generates, for the same answers."""
    runs = ids()
    answer, messages = models(openai.BaseModel)

    async def get() -> object:
        return (await client.get(f"/runs/{next(runs)}", cast_to=answer)).run

    async def start() -> object:
        body = {"agent_id": AGENT_ID, "message": MESSAGE}
        return (await client.post("/runs", body=body, cast_to=answer)).run

    async def page() -> object:
        return await client.get(f"/runs/{next(runs)}/messages?{_QUERY}", cast_to=messages)

    return Client(get, start, page)


def with_generated(client: Any, package: str) -> Client:  # noqa: ANN401 - generated
    """Use the generated client."""
    runs = cycle([UUID(each) for each in RUN_IDS])
    reading = operation(package, "get_v1_runs_run_id").asyncio
    starting = operation(package, "post_v1_runs").asyncio
    paging = operation(package, "get_v1_runs_run_id_messages").asyncio
    body_of = import_module(f"{package}.models").PostV1RunsBody

    async def get() -> object:
        return (await reading(next(runs), client=client)).run

    async def start() -> object:
        body = body_of(agent_id=UUID(AGENT_ID), message=MESSAGE)
        return (await starting(client=client, body=body)).run

    return Client(get, start, lambda: paging(next(runs), client=client, limit=PAGE, offset=0))


def models(base: Any) -> tuple[Any, Any]:  # noqa: ANN401 - as above
    """Make pydantic's models of a run's and of a page's answer."""
    make: Any = import_module("pydantic").create_model
    words = dict.fromkeys(("id", "agent_id", "build_id", "status"), (str, ...))
    moments = dict.fromkeys(("created_at", "updated_at"), (datetime, ...))
    texts = dict.fromkeys(("source", "sandbox_id"), (str | None, None))
    ends = dict.fromkeys(("started_at", "completed_at"), (datetime | None, None))
    asks = {"human_in_the_loop_enabled": (bool, ...)}
    run = make("Run", __base__=base, **words, **moments, **texts, **ends, **asks)
    arguments = (dict[str, Any], ...)
    call = make("ToolCall", __base__=base, id=(str, ...), name=(str, ...), arguments=arguments)
    result = make("ToolResult", __base__=base, tool_call_id=(str, ...), result=(Any, None))
    message = make(
        "Message",
        __base__=base,
        **dict.fromkeys(("id", "type", "role"), (str, ...)),
        timestamp=(datetime, ...),
        text_content=(str | None, None),
        tool_call=(call | None, None),
        tool_result=(result | None, None),
    )
    counts = dict.fromkeys(("total", "limit", "offset"), (int, ...))
    page = make(
        "MessagesPage", __base__=base, messages=(list.__class_getitem__(message), ...), **counts
    )
    return make("Answer", __base__=base, run=(run, ...)), page
