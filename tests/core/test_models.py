import copy
import pickle
from datetime import UTC, datetime
from inspect import Parameter, signature
from pathlib import Path
from typing import Any, cast

import attrs
import pytest
from attrs.exceptions import FrozenInstanceError
from hypothesis import given
from hypothesis import strategies as st

import duvo_async
from duvo_async import (
    Agent,
    AgentEditor,
    AgentIntegration,
    AgentModel,
    AgentOverview,
    AgentReference,
    AnsweredHumanRequest,
    APIResponse,
    ApprovalBatch,
    ApprovalDecision,
    ApprovalRow,
    BrowsingModel,
    BrowsingProvider,
    Build,
    BuildConfig,
    BuildData,
    BuildModels,
    Case,
    CaseDeletion,
    CaseDisplayStatus,
    CaseEvent,
    CaseFilter,
    CaseHistory,
    CasePriority,
    CaseReprocessing,
    CaseRun,
    CaseStatus,
    CaseTrigger,
    CaseTriggerConflicts,
    CaseUpdate,
    DownloadedFile,
    DownloadProgress,
    Evaluation,
    EvaluationStatus,
    HumanAnswer,
    HumanRequest,
    HumanRequestPending,
    HumanRequestType,
    IssueCounts,
    Label,
    MatchSnippet,
    Message,
    MessagesPage,
    NewAgent,
    NewBuild,
    NewCase,
    Profile,
    Question,
    QuestionOption,
    Queue,
    QueueAgents,
    QueueConsumer,
    QueueDeletion,
    QueueProblem,
    QueueProducer,
    RateLimit,
    Run,
    RunFailed,
    RunOutcome,
    RunStatus,
    RunSummary,
    Sandbox,
    SandboxFile,
    SandboxFileType,
    Schedule,
    ScheduleFrequency,
    StopResult,
    Team,
    TeamDiscoveryMode,
    TeamFile,
    TeamFileDownloadUrl,
    TeamFileMetadata,
    TeamFileUploadUrl,
    TeamMember,
    TeamSummary,
    ToolCall,
    ToolResult,
    UploadedFile,
    UploadOutcome,
    UploadProgress,
    UploadUrl,
    UserTriggers,
    Weekday,
    models,
)
from tests.support.properties import unhurried

NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)


def run_in(status: str) -> Run:
    return Run(
        id="run-1",
        agent_id="agent-1",
        build_id="build-1",
        status=RunStatus(status),
        source=None,
        sandbox_id=None,
        started_at=None,
        completed_at=None,
        created_at=NOON,
        updated_at=NOON,
        human_in_the_loop_enabled=True,
    )


def request_of(kind: str, *questions: Question) -> HumanRequest:
    return HumanRequest(
        id="request-1",
        title="Month end",
        description=None,
        created_at=NOON,
        type=HumanRequestType(kind),
        questions=questions,
    )


def options(*labels: str) -> tuple[QuestionOption, ...]:
    return tuple(QuestionOption(label=label) for label in labels)


YEAR = Question(question="Which year?")
UNIT = Question(question="Which unit?", options=options("EUR", "USD"))
SHEETS = Question(question="Which sheets?", options=options("A", "B", "C"), multi_select=True)
NOTES = Question(question="Which notes?", multi_select=True)
APPROVAL = request_of("approval")
FORM = request_of("question", YEAR, UNIT, SHEETS, NOTES)
FILLED: dict[str, Any] = {
    "Which year?": "2026",
    "Which unit?": "EUR",
    "Which sheets?": ["C", "A"],
    "Which notes?": ["first", "second"],
}

EDITOR = AgentEditor(id="user-1", name="Ada", email="ada@duvo.test")
SCHEDULE = Schedule(
    id="schedule-1",
    agent_id="agent-1",
    enabled=True,
    frequency=ScheduleFrequency.WEEKLY,
    timezone="Europe/Prague",
    day=Weekday.MONDAY,
)
CONFIG = BuildConfig(
    version="v2",
    data=BuildData(
        models=BuildModels(
            agent=AgentModel(model="fast"),
            browsing=BrowsingModel(provider=BrowsingProvider.GOOGLE, model="sharp"),
        ),
        input="Reconcile",
        files=("a.csv",),
        skills=None,
    ),
)
BUILD = Build(id="build-1", agent_id="agent-1", name="First", config=CONFIG, schedules=(SCHEDULE,))
REFERENCE = AgentReference(id="agent-2", name="Rival")
INTEGRATION = AgentIntegration(
    id="i", integration_id="service-1", integration_name="Mail", linked_queue_names=("In",)
)

LABEL = Label(id="label-1", key="region", value="EU", color_hue=200)
CASE = Case(
    id="case-1",
    queue_id="queue-1",
    title="t",
    status=CaseStatus.PENDING,
    created_at=NOON,
    updated_at=NOON,
    labels=(LABEL,),
    search_match_data_snippet=MatchSnippet(before="a", match="b", after="c"),
)
APPROVAL_ROW = ApprovalRow(id="row-1", assignee_user_id="user-1", prompt="Pay?")
APPROVALS = ApprovalBatch(
    id="batch-1", agent_run_id="run-1", title="t", created_at=NOON, rows=(APPROVAL_ROW,)
)
EVALUATION = Evaluation(
    status=EvaluationStatus.READY, passed=1.0, total=2.0, severity_counts=IssueCounts(critical=1)
)
EVENT = CaseEvent(id="event-1", type="created", created_at=NOON)
CONSUMER = QueueConsumer(agent_id="agent-1", agent_name="Clerk")
PRODUCER = QueueProducer(
    agent_id="agent-1", agent_name="Clerk", problems=(QueueProblem.MULTIPLE_TRIGGERS,)
)

EXAMPLES: list[object] = [
    APIResponse(value=7, status=200, headers={}, request_id="request-1", attempts=1),
    LABEL,
    CASE,
    APPROVAL_ROW,
    APPROVALS,
    EVALUATION,
    EVENT,
    CONSUMER,
    PRODUCER,
    CaseDeletion(deleted_count=2, interrupted_run_ids=("run-1",)),
    CaseFilter(status=("failed",), labels={"region": "EU"}, created_at_from=NOON),
    CaseHistory(case=CASE, events=(EVENT,), approval_batches=(APPROVALS,)),
    CaseReprocessing(reprocessed_count=2),
    CaseRun(id="run-1", agent_id="agent-1", status=RunStatus.RUNNING, created_at=NOON),
    CaseUpdate(updated_count=2),
    IssueCounts(low=3),
    MatchSnippet(before="", match="b", after=""),
    NewCase(title="t", labels=["urgent"], priority=CasePriority.HIGH),
    Queue(id="queue-1", name="Invoices", created_at=NOON),
    QueueAgents(queue_name="Invoices", producers=(PRODUCER,), consumers=(CONSUMER,)),
    QueueDeletion(deleted_case_count=2),
    Agent(id="agent-1", name="Clerk", created_by=EDITOR, pinned_at=NOON),
    EDITOR,
    INTEGRATION,
    AgentModel(model="fast"),
    AgentOverview(
        id="agent-1",
        name="Clerk",
        latest_build=BUILD,
        integration_configs=(INTEGRATION,),
        user_triggers=UserTriggers(),
        case_trigger_conflicting_agents=(REFERENCE,),
    ),
    REFERENCE,
    BrowsingModel(provider=BrowsingProvider("brand_new"), model=None),
    BUILD,
    CONFIG,
    BuildData(input=[{"role": "user"}]),
    BuildModels(browsing=None),
    CaseTrigger(id="trigger-1", agent_id="agent-1", case_queue_id="queue-1", enabled=True),
    CaseTriggerConflicts(has_conflict=True, conflicting_agents=(REFERENCE,)),
    NewAgent(id="agent-1", name="Clerk", build=BUILD),
    NewBuild(name="First", config={"version": "v2", "data": {}}),
    SCHEDULE,
    UserTriggers(slack_mention=True),
    AnsweredHumanRequest(
        id="request-1",
        run_id="run-1",
        title="t",
        description=None,
        response="yes",
        responded_at=NOON,
        created_at=NOON,
    ),
    DownloadProgress(path="a", received=1, total=None, attempt=1, finished=False),
    DownloadedFile(path=Path("a"), size_bytes=3),
    HumanAnswer(request_id="request-1", answers={"Which year?": "2026"}),
    FORM,
    Message(
        id="m",
        type="tool",
        role="assistant",
        timestamp=NOON,
        tool_call=ToolCall(id="c", name="n", arguments={"a": [1]}),
        tool_result=ToolResult(tool_call_id="c", result={"b": None}),
    ),
    MessagesPage(messages=(), total=0, limit=20, offset=0),
    YEAR,
    QuestionOption(label="EUR"),
    RateLimit(limit=300, remaining=299, reset_at=NOON),
    run_in("brand_new"),
    RunOutcome(index=7, run_id="run-1", run=run_in("waiting"), human_request=APPROVAL),
    RunSummary(
        id="run-1",
        agent_id="agent-1",
        build_id="build-1",
        status=RunStatus.RUNNING,
        started_at=NOON,
        completed_at=None,
        created_at=NOON,
        updated_at=NOON,
    ),
    APIResponse(value=7, status=200, headers={"x": "1"}, request_id="q", attempts=1),
    Sandbox(sandbox_id="s", expires_at=NOON),
    SandboxFile(name="a", path="/workspace/a", type=SandboxFileType.FILE, size_bytes=3),
    StopResult(success=True),
    Profile(id="u", email="u@x.test", team_id="t"),
    Team(id="t", name="n", created_at=NOON, discovery_mode=TeamDiscoveryMode("brand_new")),
    TeamFile(id="f", name="a", path="a", metadata=TeamFileMetadata(size=3)),
    TeamFileDownloadUrl(url="https://s.test/a?X-Sig=hush", expires_at=NOON),
    TeamFileMetadata(mimetype="text/csv", size=3),
    TeamFileUploadUrl(upload_url="https://s.test/a?X-Sig=hush", path="a", expires_at=NOON),
    TeamMember(id="u", email="u@x.test"),
    TeamSummary(id="t", name="n"),
    ToolCall(id="c", name="n"),
    ToolResult(tool_call_id="c"),
    UploadedFile(path="/workspace/a", size_bytes=3),
    UploadProgress(path="/workspace/a", sent=1, total=3, attempt=1, finished=False),
    UploadOutcome(index=0, source="a", path="/workspace/a", skipped=True),
    UploadUrl(upload_url="https://s.test/a?X-Sig=hush", path="a", expires_in_seconds=60.0),
]
MODELS: list[type] = [
    each
    for each in (getattr(models, name) for name in models.__all__)
    if isinstance(each, type) and attrs.has(each)
]
ENUMS = [
    ApprovalDecision,
    BrowsingProvider,
    CaseDisplayStatus,
    CasePriority,
    CaseStatus,
    EvaluationStatus,
    HumanRequestType,
    QueueProblem,
    RunStatus,
    SandboxFileType,
    ScheduleFrequency,
    TeamDiscoveryMode,
    Weekday,
]


# --- every model ---------------------------------------------------------------------------------


def test_every_model_is_exported_and_has_an_example() -> None:
    assert {type(example) for example in EXAMPLES} == set(MODELS)
    for name in models.__all__:
        assert getattr(duvo_async, name) is getattr(models, name)
        assert name in duvo_async.__all__


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda each: type(each).__name__)
def test_a_model_is_frozen(example: Any) -> None:  # noqa: ANN401 - any model
    for name in attrs.fields_dict(type(example)):
        with pytest.raises(FrozenInstanceError):
            setattr(example, name, getattr(example, name))
        with pytest.raises(FrozenInstanceError):
            delattr(example, name)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda each: type(each).__name__)
def test_a_model_has_slots_and_no_dict(example: object) -> None:
    assert not hasattr(example, "__dict__")
    assert "__slots__" in vars(type(example))


@pytest.mark.parametrize("model", MODELS)
def test_a_model_is_made_by_keywords_only(model: type) -> None:
    kinds = {parameter.kind for parameter in signature(model).parameters.values()}
    assert kinds == {Parameter.KEYWORD_ONLY}


@pytest.mark.parametrize("model", MODELS)
def test_a_models_docstring_tells_of_every_field(model: type) -> None:
    told = model.__doc__ or ""
    for name in attrs.fields_dict(model):
        shown = name.lstrip("_")  # an attribute that is shown as a property
        assert f"\n        {shown}: " in told or f"\n    {shown}: " in told


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda each: type(each).__name__)
def test_a_model_pickles_and_copies(example: object) -> None:
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        assert pickle.loads(pickle.dumps(example, protocol)) == example  # noqa: S301 - our own
    assert copy.copy(example) == example
    assert copy.deepcopy(example) == example


def test_models_compare_by_value() -> None:
    assert run_in("running") == run_in("running")
    assert run_in("running") != run_in("completed")
    assert len({run_in("running"), run_in("running"), run_in("waiting")}) == 2


# --- words of the API ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("word", "terminal"),
    [
        ("not_started", False),
        ("pending", False),
        ("starting", False),
        ("running", False),
        ("waiting", False),
        ("completed", True),
        ("failed", True),
        ("interrupted", True),
        ("stopped", True),
        ("canceled", True),
        ("cancelled", True),
        ("Completed", False),
        ("completed ", False),
        ("paused_for_lunch", False),
        ("", False),
    ],
)
def test_a_status_is_terminal_or_not(word: str, *, terminal: bool) -> None:
    assert RunStatus(word).is_terminal is terminal
    assert run_in(word).is_terminal is terminal


def test_there_are_no_other_statuses() -> None:
    assert {status.value for status in RunStatus if status.is_terminal} == {
        "completed",
        "failed",
        "interrupted",
        "stopped",
        "canceled",
        "cancelled",
    }
    assert len(RunStatus) == 11


@pytest.mark.parametrize("kind", ENUMS)
def test_the_known_words_are_members(kind: type[RunStatus]) -> None:
    for member in kind:
        assert kind(member.value) is member
        assert member.is_known
        assert pickle.loads(pickle.dumps(member)) is member  # noqa: S301 - our own
        assert copy.deepcopy(member) is member


@pytest.mark.no_cover
@unhurried
@given(kind=st.sampled_from(ENUMS), word=st.text())
def test_an_unknown_word_is_kept(kind: type[RunStatus], word: str) -> None:
    if word in {member.value for member in kind}:
        return
    value = kind(word)
    assert isinstance(value, kind)
    assert not value.is_known
    assert value.value == word
    assert str(value) == word
    assert f"{value}" == word
    assert value == word
    assert word == value
    assert value == kind(word)
    assert hash(value) == hash(word)
    assert {value: 1}[word] == 1  # type: ignore[index] # a str as much as a status
    assert value not in list(kind)


@unhurried
@given(kind=st.sampled_from(ENUMS), word=st.text(st.characters(codec="utf-8")))
def test_an_unknown_word_pickles_and_copies(kind: type[RunStatus], word: str) -> None:
    value = kind(word)
    for other in (
        pickle.loads(pickle.dumps(value)),  # noqa: S301 - our own
        copy.copy(value),
        copy.deepcopy(value),
    ):
        assert other == value
        assert type(other) is kind
        assert other.value == word
        assert other.is_known is value.is_known


@pytest.mark.parametrize("kind", ENUMS)
@pytest.mark.parametrize("value", [None, 7, True, b"running", ["running"]])
def test_a_word_is_a_text(kind: type[RunStatus], value: object) -> None:
    with pytest.raises(ValueError, match="is not a valid"):
        kind(cast("str", value))


def test_accepting_a_word_does_not_make_it_known() -> None:
    before = len(RunStatus)
    assert not RunStatus("brand_new").is_known
    assert not RunStatus("brand_new").is_known
    assert len(RunStatus) == before
    assert not hasattr(RunStatus, "BRAND_NEW")


# --- runs ----------------------------------------------------------------------------------------


def test_a_completed_run_succeeded() -> None:
    run = run_in("completed")
    assert run.succeeded
    assert run.raise_for_status() is run


@pytest.mark.parametrize(
    "status", [*(status for status in RunStatus if status != "completed"), "brand_new"]
)
def test_no_other_run_succeeded(status: str) -> None:
    run = run_in(status)
    assert not run.succeeded
    with pytest.raises(RunFailed) as caught:
        run.raise_for_status()
    assert caught.value.run is run
    assert caught.value.run_id == "run-1"
    assert "run-1" in str(caught.value)
    assert status in str(caught.value)
    assert ("has not ended" in str(caught.value)) is not run.is_terminal


# --- presigned URLs ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://s.test/b/a.csv?X-Amz-Signature=hush&x=1", "https://s.test/b/a.csv?…"),
        ("https://s.test/b/a.csv?hush", "https://s.test/b/a.csv?…"),
        ("https://s.test/b?a=1?hush", "https://s.test/b?…"),
        ("https://s.test/b", "https://s.test/b"),
    ],
)
@pytest.mark.parametrize("show", [repr, str, "{}".format, lambda each: repr([each])])
def test_the_repr_of_an_upload_url_hides_its_signature(
    url: str,
    shown: str,
    show: Any,  # noqa: ANN401 - a way to show
) -> None:
    text = show(UploadUrl(upload_url=url, path="/workspace/a.csv", expires_in_seconds=60.0))
    assert "hush" not in text
    assert shown in text
    assert "/workspace/a.csv" in text


def test_an_upload_url_keeps_its_signature() -> None:
    url = "https://s.test/b?sig=hush"
    assert UploadUrl(upload_url=url, path="a", expires_in_seconds=1.0).upload_url == url


# --- answers -------------------------------------------------------------------------------------


def test_an_approval_is_approved_or_denied() -> None:
    assert APPROVAL.approve() == HumanAnswer(request_id="request-1", approved=True)
    assert APPROVAL.deny() == HumanAnswer(request_id="request-1", approved=False)
    assert APPROVAL.approve().answers is None


def test_questions_are_answered_together_and_labels_joined() -> None:
    assert FORM.answer(FILLED) == HumanAnswer(
        request_id="request-1",
        answers={
            "Which year?": "2026",
            "Which unit?": "EUR",
            "Which sheets?": "C,A",
            "Which notes?": "first,second",
        },
    )
    assert FORM.answer(FILLED).approved is None


@pytest.mark.parametrize(
    ("question", "answer", "sent"),
    [
        (YEAR, "2026", "2026"),
        (YEAR, ["2026"], "2026"),
        (YEAR, "in 2026, or so", "in 2026, or so"),
        (YEAR, " padded ", " padded "),
        (UNIT, "USD", "USD"),
        (UNIT, ("USD",), "USD"),
        (SHEETS, "A", "A"),
        (SHEETS, ["B"], "B"),
        (SHEETS, ("B", "A"), "B,A"),
        (SHEETS, ["A", "B", "C"], "A,B,C"),
        (NOTES, "one", "one"),
        (NOTES, ["one", "two"], "one,two"),
    ],
)
def test_an_answer_is_sent_as_a_text(question: Question, answer: Any, sent: str) -> None:  # noqa: ANN401
    made = request_of("question", question).answer({question.question: answer})
    assert made.answers == {question.question: sent}


def test_the_order_of_the_answers_does_not_matter() -> None:
    backwards = dict(reversed(FILLED.items()))
    assert FORM.answer(backwards) == FORM.answer(FILLED)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"Which colour?": "red"}, "Which colour?"),
        ({"which year?": "2026"}, "which year?"),
        ({"": "2026"}, "has no question ''"),
        ({"Which year?": ""}, "must not be empty"),
        ({"Which year?": " \n"}, "must not be empty"),
        ({"Which year?": []}, "must not be empty"),
        ({"Which year?": ()}, "must not be empty"),
        ({"Which sheets?": []}, "must not be empty"),
        ({"Which sheets?": ["A", ""]}, "must not be empty"),
        ({"Which unit?": "GBP"}, "GBP"),
        ({"Which unit?": "eur"}, "eur"),
        ({"Which unit?": "EUR "}, "EUR "),
        ({"Which sheets?": ["A", "Z"]}, "'Z'"),
        ({"Which sheets?": "A,B"}, "A,B"),
        ({"Which unit?": ["EUR", "USD"]}, "takes one answer"),
        ({"Which unit?": ["EUR", "EUR"]}, "takes one answer"),
        ({"Which year?": ["2025", "2026"]}, "takes one answer"),
        ({"Which sheets?": ["A", "A"]}, "twice"),
        ({"Which sheets?": ["A", "B", "A"]}, "twice"),
        ({"Which notes?": ["one", "one"]}, "twice"),
    ],
)
def test_an_answer_that_does_not_fit_is_refused(change: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - its text is looked at below
        FORM.answer({**FILLED, **change})
    assert text in str(caught.value)


@pytest.mark.parametrize("missing", FILLED)
def test_every_question_must_be_answered(missing: str) -> None:
    answers = {question: answer for question, answer in FILLED.items() if question != missing}
    with pytest.raises(ValueError, match="also asks") as caught:
        FORM.answer(answers)
    assert missing in str(caught.value)


def test_a_refusal_says_what_there_is_to_choose() -> None:
    with pytest.raises(ValueError, match=r"choose from \['EUR', 'USD'\]"):
        FORM.answer({**FILLED, "Which unit?": "GBP"})


@pytest.mark.parametrize(
    "answer", [None, 2026, 1.5, True, b"2026", ["A", None], [2026], [["A"]], {"A"}, {"A": "B"}]
)
@pytest.mark.parametrize("question", FILLED)
def test_an_answer_of_another_type_is_refused(question: str, answer: object) -> None:
    with pytest.raises(TypeError, match="a text or a sequence of texts"):
        FORM.answer({**FILLED, question: cast("str", answer)})


@pytest.mark.parametrize(
    "answers", [None, 7, True, "Which year?", ["Which year?"], ("Which year?",), {"Which year?"}]
)
def test_answers_that_are_no_mapping_are_refused(answers: Any) -> None:  # noqa: ANN401
    with pytest.raises((TypeError, ValueError)):
        request_of("question", YEAR).answer(answers)


def test_an_approval_has_no_answers_to_give() -> None:
    with pytest.raises(ValueError, match=r"approve\(\) or deny\(\)"):
        APPROVAL.answer({"Which year?": "2026"})


@pytest.mark.parametrize("decide", [HumanRequest.approve, HumanRequest.deny])
def test_questions_cannot_be_approved(decide: Any) -> None:  # noqa: ANN401 - a method
    with pytest.raises(ValueError, match="use answer"):
        decide(FORM)


def test_a_request_of_a_kind_unknown_today_takes_either_answer() -> None:
    assert request_of("review").approve().approved is True
    assert request_of("review").deny().approved is False
    assert request_of("review", YEAR).answer({"Which year?": "2026"}).answers is not None


def test_an_answer_is_made_before_anything_is_changed() -> None:
    answers = {"Which sheets?": ["A", "B"]}
    made = request_of("question", SHEETS).answer(answers)
    answers["Which sheets?"].append("C")
    assert made.answers == {"Which sheets?": "A,B"}


@unhurried
@given(st.lists(st.sampled_from(["A", "B", "C", "D"]), max_size=5))
def test_a_multiple_choice_takes_each_offered_label_once(labels: list[str]) -> None:
    request = request_of("question", SHEETS)
    fits = 0 < len(labels) == len(set(labels)) and "D" not in labels
    try:
        made = request.answer({"Which sheets?": labels})
    except ValueError:
        assert not fits
    else:
        assert fits
        assert made.answers == {"Which sheets?": ",".join(labels)}


# --- what became of one of many ------------------------------------------------------------------


def test_an_outcome_that_went_well_gives_its_run() -> None:
    done = run_in("completed")
    outcome = RunOutcome(index=0, run_id="run-1", run=done)
    assert outcome.succeeded
    assert outcome.raise_for_status() is done


@pytest.mark.parametrize("status", ["failed", "stopped", "interrupted"])
def test_an_outcome_that_did_not_complete_raises(status: str) -> None:
    outcome = RunOutcome(index=0, run_id="run-1", run=run_in(status))
    assert not outcome.succeeded
    with pytest.raises(RunFailed, match=status):
        outcome.raise_for_status()


def test_an_outcome_that_waits_for_a_person_raises_what_can_be_answered() -> None:
    run = run_in("waiting")
    outcome = RunOutcome(index=0, run_id="run-1", run=run, human_request=APPROVAL)
    assert not outcome.succeeded
    with pytest.raises(HumanRequestPending) as caught:
        outcome.raise_for_status()
    assert caught.value.run is run
    assert caught.value.request is APPROVAL


@pytest.mark.parametrize("run", [None, run_in("running"), run_in("completed")])
def test_an_outcome_with_an_error_raises_it_whatever_the_run(run: Run | None) -> None:
    error = LookupError("nobody is in")
    outcome = RunOutcome(index=0, run_id=None, run=run, error=error)
    assert not outcome.succeeded
    with pytest.raises(LookupError) as caught:
        outcome.raise_for_status()
    assert caught.value is error


def test_the_outcome_of_an_upload_is_the_file_or_its_error() -> None:
    file = UploadedFile(path="/workspace/a", size_bytes=3)
    arrived = UploadOutcome(index=0, source="a", path=file.path, file=file)
    assert arrived.succeeded
    assert arrived.raise_for_error() is file
    lost = UploadOutcome(index=1, source="b", path=None, error=LookupError("lost"))
    assert not lost.succeeded
    with pytest.raises(LookupError, match="lost"):
        lost.raise_for_error()
