"""Tokens over real sockets: asked for once, renewed in time, seen by nobody."""

import asyncio
import logging
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from duvo_async import (
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
    AsyncDuvo,
    AuthenticationError,
    BadRequestError,
    ClientCredentials,
    ConfigurationError,
    CredentialsError,
    NotFoundError,
    RateLimitError,
    ResponseDecodeError,
    RetryPolicy,
    ServerError,
)
from duvo_async.emulator import Emulator
from tests.support.issuer import CLIENT_ID, CLIENT_SECRET, client, credentials, issue
from tests.support.stub import RUN_ID, answer, hang_up, run_answer, serve

pytestmark = pytest.mark.anyio

REFUSED = answer(401, {"error": "invalid_token"})
ONCE = RetryPolicy(retries=0)


def now() -> float:
    return asyncio.get_running_loop().time()


async def calls(duvo: AsyncDuvo, number: int) -> None:
    await asyncio.gather(*(duvo.runs.get(RUN_ID) for _ in range(number)))


# --- one token for all ---------------------------------------------------------------------------


async def test_a_token_is_found_and_sent() -> None:
    async with issue() as issuer, client(issuer) as duvo:
        await duvo.runs.get(RUN_ID)
    assert issuer.paths == [
        "/.well-known/oauth-protected-resource",
        "/.well-known/oauth-authorization-server",
        "/oauth/token",
        f"/v1/runs/{RUN_ID}",
    ]
    assert issuer.forms == [{"grant_type": "client_credentials", "audience": issuer.url}]
    assert issuer.headers[0]["User-Agent"].startswith("duvo-async/")
    assert issuer.headers[0]["Content-Type"] == "application/x-www-form-urlencoded"
    assert issuer.calls == list(issuer.tokens)


async def test_many_first_calls_ask_for_one_token() -> None:
    async with issue(takes=2) as issuer, client(issuer) as duvo:
        await calls(duvo, 200)
        assert now() < 3
    assert len(issuer.forms) == 1
    assert issuer.calls == list(issuer.tokens) * 200
    assert len(issuer.paths) == 203


async def test_the_caller_who_asks_may_be_cancelled_and_the_others_get_their_token() -> None:
    async with issue(takes=5) as issuer, client(issuer) as duvo:
        tasks = [asyncio.create_task(duvo.runs.get(RUN_ID)) for _ in range(20)]
        await issuer.asked.wait()
        tasks[0].cancel()
        ends = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(ends[0], asyncio.CancelledError)
    assert not any(isinstance(end, BaseException) for end in ends[1:])
    assert len(issuer.forms) == 2


async def test_what_is_asked_for_can_be_said() -> None:
    said = credentials(scopes="runs:read runs:write", audience="https://else.where")
    async with issue() as issuer, client(issuer, auth=said) as duvo:
        await duvo.runs.get(RUN_ID)
    (form,) = issuer.forms
    assert form["scope"] == "runs:read runs:write"
    assert form["audience"] == "https://else.where"


async def test_a_token_url_needs_no_discovery() -> None:
    async with issue() as issuer:
        said = credentials(token_url=f"{issuer.url}/oauth/token")
        async with client(issuer, auth=said, base_url=f"{issuer.url}/below/v1") as duvo:
            await duvo.runs.get(RUN_ID)
    assert issuer.paths == ["/oauth/token", f"/below/v1/runs/{RUN_ID}"]
    assert issuer.forms[0]["audience"] == issuer.url


async def test_the_secret_goes_into_the_form_where_only_that_is_taken() -> None:
    only_post = {"token_endpoint_auth_methods_supported": ["private_key_jwt", "client_secret_post"]}
    async with issue(server_metadata=only_post) as issuer, client(issuer) as duvo:
        await duvo.runs.get(RUN_ID)
    assert "Authorization" not in issuer.headers[0]
    assert issuer.forms[0]["client_secret"] == CLIENT_SECRET


async def test_environment_variables_will_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DUVO_CLIENT_ID", CLIENT_ID)
    monkeypatch.setenv("DUVO_CLIENT_SECRET", CLIENT_SECRET)
    async with issue() as issuer, AsyncDuvo(base_url=issuer.url) as duvo:
        await duvo.runs.get(RUN_ID)
    assert len(issuer.tokens) == 1


# --- renewal -------------------------------------------------------------------------------------


async def test_a_token_is_renewed_before_it_expires() -> None:
    async with issue(life=3600) as issuer, client(issuer) as duvo:
        await duvo.runs.get(RUN_ID)
        await asyncio.sleep(3600 - 121 - now())
        await duvo.runs.get(RUN_ID)
        assert len(issuer.tokens) == 1
        await asyncio.sleep(3600 - 59 - now())
        await calls(duvo, 20)
    first, second = issuer.tokens
    assert issuer.calls[:2] == [first, first]
    assert second in issuer.calls
    assert len(issuer.forms) == 2


async def test_while_one_caller_renews_the_others_go_on() -> None:
    async with issue(life=3600) as issuer, client(issuer) as duvo:
        await duvo.runs.get(RUN_ID)
        issuer.takes = 20
        await asyncio.sleep(3600 - 59 - now())
        began = now()
        renewing = asyncio.create_task(duvo.runs.get(RUN_ID))
        await asyncio.sleep(1)
        await calls(duvo, 50)
        assert now() < began + 2
        await renewing
        assert now() >= began + 20
    first, second = issuer.tokens
    assert issuer.calls == [first] * 51 + [second]
    assert len(issuer.forms) == 2


async def test_whoever_renews_may_be_cancelled() -> None:
    async with issue(life=3600) as issuer, client(issuer) as duvo:
        await duvo.runs.get(RUN_ID)
        issuer.takes = 5
        await asyncio.sleep(3600 - 59 - now())
        renewing = asyncio.create_task(duvo.runs.get(RUN_ID))
        await asyncio.sleep(1)
        renewing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await renewing
        await duvo.runs.get(RUN_ID)
    assert len(issuer.forms) == 3
    assert issuer.calls[-1] == list(issuer.tokens)[-1]


async def test_a_renewal_that_fails_leaves_what_there_is(caplog: pytest.LogCaptureFixture) -> None:
    async with issue(life=3600) as issuer, client(issuer) as duvo:
        await duvo.runs.get(RUN_ID)
        issuer.troubles = [answer(503)] * 2
        await asyncio.sleep(3600 - 59 - now())
        began = now()
        await calls(duvo, 5)
        assert now() < began + 1
        assert len(issuer.forms) == 2
        await duvo.runs.get(RUN_ID)  # it is left alone for a while
        assert len(issuer.forms) == 2
        await asyncio.sleep(3600 - 25 - now())
        await calls(duvo, 5)
        assert len(issuer.forms) == 3
        await asyncio.sleep(3600 + 1 - now())
        await calls(duvo, 5)
    assert len(issuer.tokens) == 2
    assert len(issuer.forms) == 4
    warnings = [each for each in caplog.records if each.levelno == logging.WARNING]
    assert ["503" in each.getMessage() for each in warnings] == [True, True]


async def test_a_token_that_is_refused_while_its_renewal_fails_is_replaced() -> None:
    async def fail_late(_: web.Request) -> web.StreamResponse:
        await asyncio.sleep(5)
        return answer(503)

    async with issue(life=3600) as issuer, client(issuer) as duvo:
        await duvo.runs.get(RUN_ID)
        issuer.asked.clear()
        issuer.troubles = [fail_late]
        await asyncio.sleep(3600 - 59 - now())
        renewing = asyncio.create_task(duvo.runs.get(RUN_ID))
        await issuer.asked.wait()
        issuer.revoke()
        await duvo.runs.get(RUN_ID)
        await renewing
    assert len(issuer.forms) == 3
    old, new = issuer.tokens
    assert issuer.calls == [old, old, new, new]


async def test_an_expired_token_is_never_sent() -> None:
    async with issue(life=100) as issuer, client(issuer) as duvo:
        for _ in range(3):
            await calls(duvo, 20)
            await asyncio.sleep(1000)
    assert len(issuer.forms) == 3
    assert issuer.calls == [token for token in issuer.tokens for _ in range(20)]


async def test_a_token_without_an_end_is_kept() -> None:
    async with issue(life=None) as issuer, client(issuer) as duvo:
        await duvo.runs.get(RUN_ID)
        await asyncio.sleep(10**7)
        await duvo.runs.get(RUN_ID)
    assert len(issuer.forms) == 1


async def test_a_token_that_is_good_for_no_time_is_used_at_once() -> None:
    async with issue(life=0) as issuer, client(issuer) as duvo:
        with pytest.raises(AuthenticationError):
            await duvo.runs.get(RUN_ID)
    assert len(issuer.forms) == 2


# --- refusals ------------------------------------------------------------------------------------


async def test_a_hundred_refusals_cost_one_token() -> None:
    async with issue(takes=1) as issuer, client(issuer) as duvo:
        await calls(duvo, 100)
        issuer.revoke()
        await calls(duvo, 100)
    assert len(issuer.forms) == 2
    assert len(issuer.calls) == 300


async def test_a_late_refusal_of_an_older_token_drops_nothing() -> None:
    late = asyncio.Event()

    async def refuse_late(_: web.Request) -> web.StreamResponse:
        await late.wait()
        return answer(401, {"error": "invalid_token"})

    async with issue() as issuer, client(issuer) as duvo:
        issuer.api_troubles = [refuse_late, REFUSED]
        first = asyncio.create_task(duvo.runs.get(RUN_ID))
        await issuer.called.wait()
        await duvo.runs.get(RUN_ID)
        late.set()
        await first
        await duvo.runs.get(RUN_ID)
    old, new = issuer.tokens
    assert issuer.calls == [old, old, new, new, new]


async def test_a_server_may_give_the_same_token_again() -> None:
    late = asyncio.Event()

    async def refuse_late(_: web.Request) -> web.StreamResponse:
        await late.wait()
        return answer(401, {"error": "invalid_token"})

    same = answer(200, {"access_token": "always-this", "token_type": "Bearer"})
    async with issue(troubles=[same] * 3) as issuer, client(issuer) as duvo:
        issuer.api_troubles = [refuse_late, REFUSED, *[run_answer()] * 3]
        first = asyncio.create_task(duvo.runs.get(RUN_ID))
        await issuer.called.wait()
        await duvo.runs.get(RUN_ID)
        late.set()
        await first
        await duvo.runs.get(RUN_ID)
    assert len(issuer.forms) == 2


@pytest.mark.parametrize(
    "refusal",
    [
        answer(401, {"code": "invalid_token", "message": "expired"}),
        answer(401, {"error": {"code": "invalid_token"}}),
        answer(401, www_authenticate='Bearer realm="duvo", error="invalid_token"'),
        answer(401, {"error": "Unauthorized"}, www_authenticate='Bearer error="invalid_token"'),
    ],
)
async def test_a_refusal_has_several_forms(refusal: web.Response) -> None:
    async with issue() as issuer, client(issuer, retry=ONCE) as duvo:
        issuer.api_troubles = [refusal]
        await duvo.runs.get(RUN_ID)
    assert len(issuer.forms) == 2
    assert issuer.calls == list(issuer.tokens)


async def test_a_call_that_is_refused_twice_fails() -> None:
    async with issue() as issuer, client(issuer) as duvo:
        issuer.api_troubles = [REFUSED, REFUSED]
        with pytest.raises(AuthenticationError) as caught:
            await duvo.runs.start(RUN_ID)
        assert len(issuer.forms) == 2
        assert len(issuer.calls) == 2
        await duvo.runs.get(RUN_ID)
    assert caught.value.code == "invalid_token"
    assert len(issuer.forms) == 2


@pytest.mark.parametrize(
    "other", [answer(401, {"error": "no_seat"}), answer(403, {"error": "invalid_token"})]
)
async def test_other_refusals_are_not_of_the_token(other: web.Response) -> None:
    async with issue() as issuer, client(issuer) as duvo:
        issuer.api_troubles = [other]
        with pytest.raises(APIStatusError):
            await duvo.runs.get(RUN_ID)
    assert len(issuer.calls) == 1


# --- the emulator --------------------------------------------------------------------------------


@pytest.fixture
async def member(emulator: Emulator) -> AsyncIterator[AsyncDuvo]:
    auth = ClientCredentials(emulator.client_id, emulator.client_secret)
    async with AsyncDuvo(auth=auth, base_url=emulator.url) as client:
        yield client


async def test_the_emulator_gives_one_token_to_many(emulator: Emulator, member: AsyncDuvo) -> None:
    assert all(await asyncio.gather(*(member.health() for _ in range(200))))
    assert emulator.tokens_issued == 1


async def test_tokens_that_end_in_the_middle_of_work(emulator: Emulator, member: AsyncDuvo) -> None:
    async def work() -> None:
        for _ in range(10):
            await member.health()
            await asyncio.sleep(1)

    async def end() -> None:
        await asyncio.sleep(4.5)
        emulator.expire_tokens()

    await asyncio.gather(end(), *(work() for _ in range(20)))
    assert emulator.tokens_issued == 2


async def test_a_long_job_outlives_its_tokens(emulator: Emulator, member: AsyncDuvo) -> None:
    emulator.token_ttl = 600
    for _ in range(60):
        await member.health()
        await asyncio.sleep(60)
    assert not [each for each in emulator.requests if each.status == 401]
    assert 6 <= emulator.tokens_issued <= 8


# --- trouble with the authorization server -------------------------------------------------------


@pytest.mark.parametrize("trouble", [answer(503), answer(429), answer(500), hang_up])
async def test_passing_trouble_is_retried(trouble: web.Response) -> None:
    async with issue(troubles=[trouble, trouble]) as issuer, client(issuer) as duvo:
        await calls(duvo, 10)
    assert len(issuer.forms) == 3
    assert len(issuer.calls) == 10


async def test_lasting_trouble_is_one_error_for_all_and_not_retried_twice() -> None:
    async with (
        issue(troubles=[answer(503)] * 99) as issuer,
        client(issuer, retry=RetryPolicy(retries=2)) as duvo,
    ):
        ends = await asyncio.gather(
            *(duvo.runs.start(RUN_ID) for _ in range(50)), return_exceptions=True
        )
    assert len(issuer.forms) == 3
    assert not issuer.calls
    assert len({id(end) for end in ends}) == 50
    for end in ends:
        assert isinstance(end, ServerError)
        assert (end.method, end.path) == (
            "POST",
            f"{issuer.url.removeprefix('http://')}/oauth/token",
        )
        assert end.attempts == 3
        assert not end.may_have_been_done


async def test_how_long_to_wait_may_be_said() -> None:
    async with issue(troubles=[answer(429, retry_after="7")]) as issuer, client(issuer) as duvo:
        await duvo.runs.get(RUN_ID)
        assert 7 <= now() <= 8
    async with issue(troubles=[answer(429, retry_after="999")]) as issuer, client(issuer) as duvo:
        with pytest.raises(RateLimitError) as caught:
            await duvo.runs.get(RUN_ID)
    assert caught.value.retry_after == 999


async def test_nobody_there() -> None:
    async with serve(run_answer()) as gone:
        pass
    said = credentials(token_url=f"{gone.url}/oauth/token")
    async with issue() as issuer, client(issuer, auth=said, retry=ONCE) as duvo:
        with pytest.raises(APIConnectionError, match="/oauth/token: cannot connect") as caught:
            await duvo.runs.start(RUN_ID)
    assert not caught.value.may_have_been_done
    assert not issuer.paths


async def test_no_answer_in_time() -> None:
    async with issue(takes=10) as issuer, client(issuer, timeout=5, retry=ONCE) as duvo:
        with pytest.raises(APITimeoutError) as caught:
            await duvo.runs.get(RUN_ID)
    assert not caught.value.may_have_been_done


async def test_an_unknown_client_is_a_mistake_in_the_configuration() -> None:
    async with issue() as issuer, client(issuer, auth=credentials("wrong")) as duvo:
        with pytest.raises(CredentialsError) as caught:
            await duvo.runs.get(RUN_ID)
    text = str(caught.value)
    assert "/oauth/token: 401 invalid_client" in text
    assert "client_secret" in text
    assert "DUVO_CLIENT_SECRET" in text
    assert len(issuer.forms) == 1


@pytest.mark.parametrize(
    ("code", "advice"),
    [
        ("invalid_scope", "scopes="),
        ("invalid_target", "audience="),
        ("access_denied", "audience="),
        ("unauthorized_client", "allowed for this client"),
    ],
)
async def test_errors_say_what_to_check(code: str, advice: str) -> None:
    trouble = answer(400, {"error": code, "error_description": "no such luck"})
    async with issue(troubles=[trouble]) as issuer, client(issuer) as duvo:
        with pytest.raises(BadRequestError, match="no such luck") as caught:
            await duvo.runs.get(RUN_ID)
    assert caught.value.code == code
    assert advice in str(caught.value)
    assert len(issuer.forms) == 1


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ({"token_type": "Bearer"}, "access_token"),
        ({"access_token": "that-nobody-may-see", "token_type": "DPoP"}, "token_type"),
        ({"access_token": "that-nobody-may-see"}, "token_type"),
        ({"access_token": "that-nobody-may-see\n", "token_type": "Bearer"}, "access_token"),
        ("access_token=that-nobody-may-see", "not JSON"),
        (["that-nobody-may-see"], "expected an object"),
    ],
)
async def test_an_answer_without_a_token_is_no_answer(body: object, problem: str) -> None:
    async with issue(troubles=[answer(200, body)]) as issuer, client(issuer) as duvo:
        with pytest.raises(ResponseDecodeError, match=problem) as caught:
            await duvo.runs.get(RUN_ID)
    assert not caught.value.may_have_been_done
    assert not issuer.calls


async def test_a_redirection_is_not_followed() -> None:
    trouble = answer(307, location="https://else.where/oauth/token")
    async with issue(troubles=[trouble]) as issuer, client(issuer) as duvo:
        with pytest.raises(APIStatusError, match="not followed") as caught:
            await duvo.runs.get(RUN_ID)
    assert caught.value.status == 307
    assert len(issuer.forms) == 1


# --- discovery -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "metadata",
    [
        {"resource": "https://else.where"},
        {"resource": None},
        {"authorization_servers": None},
        {"authorization_servers": []},
        {"authorization_servers": ["http://else.where/"]},
    ],
)
async def test_who_gives_tokens_must_be_said_of_this_api(metadata: dict[str, object]) -> None:
    async with issue(metadata=metadata) as issuer, client(issuer) as duvo:
        with pytest.raises(ResponseDecodeError, match="token_url="):
            await duvo.runs.get(RUN_ID)
    assert issuer.paths == ["/.well-known/oauth-protected-resource"]


@pytest.mark.parametrize(
    "metadata",
    [
        {"issuer": "https://else.where/"},
        {"issuer": None},
        {"token_endpoint": None},
        {"token_endpoint": "http://else.where/token"},
        {"token_endpoint_auth_methods_supported": ["private_key_jwt"]},
    ],
)
async def test_where_tokens_are_must_be_said_safely(metadata: dict[str, object]) -> None:
    async with issue(server_metadata=metadata) as issuer, client(issuer) as duvo:
        with pytest.raises(ResponseDecodeError, match="token_url=") as caught:
            await duvo.runs.get(RUN_ID)
    assert not caught.value.may_have_been_done
    assert not issuer.forms


async def test_an_api_without_discovery_says_what_to_do() -> None:
    async with (
        serve(answer(404)) as stub,
        AsyncDuvo(auth=credentials(), base_url=stub.url) as duvo,
    ):
        with pytest.raises(NotFoundError, match="token_url=") as caught:
            await duvo.runs.get(RUN_ID)
    assert caught.value.path.endswith("/.well-known/oauth-protected-resource")
    assert len(stub.asked) == 1


@pytest.mark.filterwarnings("ignore::duvo_async.DuvoSecurityWarning")
async def test_nobody_is_asked_over_a_way_that_is_open_to_others() -> None:
    async with AsyncDuvo(auth=credentials(), base_url="http://duvo.invalid") as duvo:
        with pytest.raises(ConfigurationError, match="token_url="):
            await duvo.runs.get(RUN_ID)


async def test_where_tokens_are_is_found_anew_after_an_error() -> None:
    async with issue() as issuer, client(issuer, retry=ONCE) as duvo:
        issuer.server_metadata = {"token_endpoint": f"{issuer.url}/gone"}
        issuer.api_troubles = [answer(404)]
        with pytest.raises(NotFoundError, match="token_url="):
            await duvo.runs.get(RUN_ID)
        issuer.server_metadata = {}
        await duvo.runs.get(RUN_ID)
    assert len(issuer.tokens) == 1
