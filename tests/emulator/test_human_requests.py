from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING

import pytest

from duvo_async.emulator import AskApproval, AskQuestions, Finish, Option, Question, Say

if TYPE_CHECKING:
    from tests.emulator.conftest import Api

QUESTIONS = AskQuestions(
    "Before I go on",
    [
        Question("Which year?"),
        Question("Which unit?", "Unit", [Option("EUR", "euros"), Option("USD")]),
        Question(
            "Which ones?", options=[Option("a"), Option("b"), Option("b, c")], multi_select=True
        ),
    ],
    "three things",
)
GOOD = {"Which year?": "2024", "Which unit?": "EUR", "Which ones?": "a, b"}


def test_an_approval_is_shown_with_the_waiting_run(api: Api) -> None:
    run_id = api.start([AskApproval("Post?", "12 entries")])
    pending = api.pending(run_id)
    assert pending == {
        "id": pending["id"],
        "title": "Post?",
        "description": "12 entries",
        "created_at": "2023-11-14T22:13:20.000Z",
        "type": "approval",
    }
    run = api.run(run_id)
    assert (run["status"], run["completed_at"]) == ("waiting", None)


def test_questions_are_shown_with_the_waiting_run(api: Api) -> None:
    pending = api.pending(api.start([QUESTIONS]))
    assert (pending["type"], pending["description"]) == ("question", "three things")
    assert pending["questions"] == [
        {"question": "Which year?", "multi_select": False},
        {
            "question": "Which unit?",
            "header": "Unit",
            "options": [{"label": "EUR", "description": "euros"}, {"label": "USD"}],
            "multi_select": False,
        },
        {
            "question": "Which ones?",
            "options": [{"label": "a"}, {"label": "b"}, {"label": "b, c"}],
            "multi_select": True,
        },
    ]


def test_an_approval_goes_on_with_the_next_step(api: Api) -> None:
    run_id = api.start([AskApproval("Post?"), Say("posted")])
    pending = api.pending(run_id)
    api.clock.advance(60)
    response = api.respond(run_id, {"approved": True})
    assert response.status == 200
    assert response.json()["human_request"] == {
        "id": pending["id"],
        "run_id": run_id,
        "title": "Post?",
        "description": None,
        "response": "approved",
        "responded_at": "2023-11-14T22:14:20.000Z",
        "created_at": "2023-11-14T22:13:20.000Z",
    }
    assert api.status(run_id) == "completed"
    assert api.pending(run_id) is None
    assert api.texts(run_id) == ["posted"]


def test_a_denial_completes_the_run_and_says_so(api: Api) -> None:
    run_id = api.start([AskApproval("Post?"), Say("posted")])
    response = api.respond(run_id, {"approved": False})
    assert response.json()["human_request"]["response"] == "denied"
    assert api.status(run_id) == "completed"
    api.post(f"/v1/runs/{run_id}/messages", {"message": "why?"})
    assert api.status(run_id) == "completed"
    assert api.texts(run_id) == ["This was denied, so I stop here.", "why?", "Noted: why?"]


def test_a_denial_may_have_steps_of_its_own(api: Api) -> None:
    denied = [Say("sorry"), AskApproval("Then delete?"), Finish("failed")]
    run_id = api.start([AskApproval("Post?", denied=denied), Say("posted")])
    api.respond(run_id, {"approved": False})
    assert api.pending(run_id)["title"] == "Then delete?"
    api.respond(run_id, {"approved": True})
    assert api.status(run_id) == "failed"
    assert api.texts(run_id) == ["sorry"]


def test_answers_go_on_with_the_next_step(api: Api) -> None:
    run_id = api.start([QUESTIONS, Say("thanks")])
    response = api.respond(run_id, {"answers": GOOD})
    assert response.status == 200
    assert json.loads(response.json()["human_request"]["response"]) == GOOD
    assert api.texts(run_id) == ["thanks"]


@pytest.mark.parametrize(
    "ones", ["a", "b", "b,a", " a ,  b ", "b, c", "b, c, a", "b,b, c", "a,b,b, c"]
)
def test_several_options_are_joined_with_commas(api: Api, ones: str) -> None:
    run_id = api.start([QUESTIONS])
    assert api.respond(run_id, {"answers": {**GOOD, "Which ones?": ones}}).status == 200


@pytest.mark.parametrize(
    "change",
    [
        {"Which year?": ""},
        {"Which year?": 2024},
        {"Which year?": None},
        {"Which unit?": "CHF"},
        {"Which unit?": "EUR,USD"},
        {"Which unit?": "eur"},
        {"Which ones?": "d"},
        {"Which ones?": "a;b"},
        {"Which ones?": "a,"},
        {"Which ones?": "a,a"},
        {"Which ones?": "ab"},
        {"Which day?": "Monday"},
    ],
)
def test_bad_answers_are_refused(api: Api, change: dict[str, object]) -> None:
    run_id = api.start([QUESTIONS])
    assert api.respond(run_id, {"answers": {**GOOD, **change}}).status == 400
    assert api.status(run_id) == "waiting"


@pytest.mark.parametrize("missing", GOOD)
def test_every_question_needs_an_answer(api: Api, missing: str) -> None:
    answers = {question: answer for question, answer in GOOD.items() if question != missing}
    assert api.respond(api.start([QUESTIONS]), {"answers": answers}).status == 400


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"approved": True, "answers": {}},
        {"approved": "yes"},
        {"approved": None},
        {"answers": []},
        {"approved": True, "comment": "fine"},
    ],
)
def test_a_response_is_one_kind_of_answer(api: Api, body: object) -> None:
    assert api.respond(api.start([AskApproval("Post?")]), body).status == 400


def test_the_kind_of_answer_must_fit_the_request(api: Api) -> None:
    assert api.respond(api.start([AskApproval("Post?")]), {"answers": GOOD}).status == 400
    assert api.respond(api.start([QUESTIONS]), {"approved": True}).status == 400


def test_an_unknown_request_is_not_found(api: Api) -> None:
    other = api.pending(api.start([AskApproval("Other?")]))["id"]
    run_id = api.start([AskApproval("Post?")])
    for request_id in (other, str(uuid.uuid4())):
        target = f"/v1/runs/{run_id}/human-requests/{request_id}/respond"
        assert api.post(target, {"approved": True}).status == 404


def test_a_request_is_answered_once(api: Api) -> None:
    run_id = api.start([AskApproval("One?"), AskApproval("Two?")])
    target = f"/v1/runs/{run_id}/human-requests/{api.pending(run_id)['id']}/respond"
    assert api.post(target, {"approved": True}).status == 200
    response = api.post(target, {"approved": True})
    assert (response.status, response.json()["error"]) == (409, "conflict")
    assert api.pending(run_id)["title"] == "Two?"


def test_a_stopped_run_takes_no_answer(api: Api) -> None:
    run_id = api.start([AskApproval("Post?")])
    target = f"/v1/runs/{run_id}/human-requests/{api.pending(run_id)['id']}/respond"
    api.post(f"/v1/runs/{run_id}/stop")
    assert api.post(target, {"approved": True}).status == 409


@pytest.mark.parametrize("questions", [[], [Question("Same?"), Question("Same?", "again")]])
def test_questions_must_be_some_and_different(questions: list[Question]) -> None:
    with pytest.raises(ValueError, match="all different"):
        AskQuestions("title", questions)
