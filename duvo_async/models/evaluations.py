"""Evaluations: how a run's work was judged."""

from attrs import field, frozen

from duvo_async.models._open_enum import OpenEnum


class EvaluationStatus(OpenEnum):
    """How far an evaluation is."""

    READY = "ready"
    IN_PROGRESS = "in_progress"
    UNAVAILABLE = "unavailable"


@frozen(kw_only=True)
class IssueCounts:
    """How many issues an evaluation found, by their severity.

    Attributes:
        critical: The critical ones.
        medium: The medium ones.
        low: The low ones.
    """

    critical: int = 0
    medium: int = 0
    low: int = 0


@frozen(kw_only=True)
class Evaluation:
    """How a run's work was judged.

    Attributes:
        status: How far it is.
        passed: How many checks the work passed.
        total: How many checks there were.
        final_comment: What was said of it in the end. None when nothing was.
        severity_counts: The issues by their severity. None when the API does not say.
    """

    status: EvaluationStatus
    passed: float = 0.0
    total: float = 0.0
    final_comment: str | None = None
    severity_counts: IssueCounts | None = field(default=None, metadata={"json": "severityCounts"})
