from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

from duvo_async.emulator import AskApproval, CallTool, Request, Say

if TYPE_CHECKING:
    from collections.abc import Callable

    from duvo_async.emulator import Response
    from tests.emulator.conftest import Api

SCRIPT = [Say("hi"), CallTool("x"), AskApproval("One?"), AskApproval("Two?")]


def use_everything(api: Api) -> list[Response]:
    """Calls operations that show ids of every kind."""
    sandbox_id = api.create_sandbox()
    target = api.create_upload_url(sandbox_id, "a.txt")
    run_id = api.start(SCRIPT, message="go", sandbox_id=sandbox_id)
    return [
        api.put(target, b"abc"),
        api.post(f"/v1/sandboxes/{sandbox_id}/upload-urls", {"path": "b.txt"}),
        api.get(f"/v1/runs/{run_id}"),
        api.respond(run_id, {"approved": True}),
        api.get(f"/v1/runs/{run_id}/messages"),
        api.get("/v1/runs"),
        api.emulator.handle(Request("GET", "/v1/health")),
    ]


def test_one_seed_makes_the_same_bytes(make_api: Callable[..., Api]) -> None:
    one, two = make_api(seed=7), make_api(seed=7)
    assert one.emulator.api_key == two.emulator.api_key
    assert one.emulator.demo_agent_id == two.emulator.demo_agent_id
    assert use_everything(one) == use_everything(two)


def run_ids(api: Api) -> set[str]:
    """All ids of a run and of what belongs to it."""
    run_id = api.start(SCRIPT, message="go", sandbox_id=api.create_sandbox())
    run = api.run(run_id)
    messages = api.messages(run_id)
    requests = [api.pending(run_id)["id"]]
    api.respond(run_id, {"approved": True})
    requests.append(api.pending(run_id)["id"])
    calls = [each["tool_call"]["id"] for each in messages if "tool_call" in each]
    own = [run_id, run["agent_id"], run["build_id"], run["sandbox_id"]]
    return {*own, *requests, *calls, *(each["id"] for each in messages)}


def test_every_id_is_another(make_api: Callable[..., Api]) -> None:
    seen = [run_ids(make_api(seed=seed)) for seed in (1, 2, None, None)]
    api = make_api(seed=3)
    seen += [run_ids(api), run_ids(api)]
    assert [len(ids) for ids in seen] == [11] * 6
    assert len(set().union(*seen)) == 66
    answers = {api.get("/v1/health").headers["x-request-id"] for _ in range(3)}
    assert len(answers) == 3
    assert len({make_api(seed=seed).emulator.api_key for seed in (1, 2, None, None)}) == 4


def test_an_id_does_not_depend_on_what_else_is_made(make_api: Callable[..., Api]) -> None:
    plain, busy = make_api(seed=7), make_api(seed=7)
    expected = run_ids(plain)
    busy.get("/v1/health")
    agent_id = busy.emulator.add_agent(SCRIPT)
    run_id = busy.emulator.start_run(agent_id, "go")
    busy.emulator.add_agent([])
    ids = {run_id, agent_id, busy.create_sandbox(), busy.pending(run_id)["id"]}
    ids |= {each["id"] for each in busy.messages(run_id)}
    assert ids < expected


def uuids(api: Api) -> list[str]:
    run: dict[str, Any] = api.run(api.start([AskApproval("Post?")]))
    pending = api.pending(run["id"])
    return [run["id"], run["agent_id"], run["build_id"], pending["id"]]


def test_seeded_uuids_are_valid(make_api: Callable[..., Api]) -> None:
    for text in uuids(make_api(seed=-1)):
        uuid = UUID(text)
        assert (str(uuid), uuid.version) == (text, 4)


def test_seeded_ids_look_like_random_ones(make_api: Callable[..., Api]) -> None:
    seeded, random = make_api(seed=0), make_api()
    assert len(seeded.emulator.api_key) == len(random.emulator.api_key) == 35
    for api in (seeded, random):
        sandbox_id = api.create_sandbox()
        assert (sandbox_id[:4], len(sandbox_id)) == ("sbx_", 28)
        request_id = api.get("/v1/health").headers["x-request-id"]
        assert (request_id[:4], len(request_id)) == ("req_", 36)


def test_a_given_key_is_kept(make_api: Callable[..., Api]) -> None:
    assert make_api(seed=7, api_key="dv_mine").emulator.api_key == "dv_mine"
