"""What the API's answers hold: frozen attrs classes, one file a noun."""

import typing

from duvo_async._lazy import lazily as _lazily

if typing.TYPE_CHECKING:
    from duvo_async.models._json import JSON
    from duvo_async.models._not_given import NOT_GIVEN, NotGiven
    from duvo_async.models.agents import (
        Agent,
        AgentEditor,
        AgentIntegration,
        AgentOverview,
        AgentReference,
        NewAgent,
        UserTriggers,
    )
    from duvo_async.models.build_configs import (
        AgentModel,
        BrowsingModel,
        BrowsingProvider,
        BuildConfig,
        BuildData,
        BuildModels,
    )
    from duvo_async.models.builds import Build, NewBuild
    from duvo_async.models.case_history import (
        ApprovalBatch,
        ApprovalDecision,
        ApprovalRow,
        CaseEvent,
        CaseHistory,
        CaseRun,
    )
    from duvo_async.models.case_triggers import CaseTrigger, CaseTriggerConflicts
    from duvo_async.models.cases import (
        Case,
        CaseDeletion,
        CaseDisplayStatus,
        CaseFilter,
        CasePriority,
        CaseReprocessing,
        CaseStatus,
        CaseUpdate,
        MatchSnippet,
        NewCase,
    )
    from duvo_async.models.downloads import DownloadedFile, DownloadProgress
    from duvo_async.models.evaluations import Evaluation, EvaluationStatus, IssueCounts
    from duvo_async.models.human_requests import (
        AnsweredHumanRequest,
        HumanAnswer,
        HumanRequest,
        HumanRequestType,
        Question,
        QuestionOption,
    )
    from duvo_async.models.labels import Label, Labels
    from duvo_async.models.messages import Message, MessagesPage, ToolCall, ToolResult
    from duvo_async.models.queues import (
        Queue,
        QueueAgents,
        QueueConsumer,
        QueueDeletion,
        QueueProblem,
        QueueProducer,
    )
    from duvo_async.models.rate_limit import RateLimit
    from duvo_async.models.responses import APIResponse
    from duvo_async.models.runs import Run, RunOutcome, RunStatus, RunSummary, StopResult
    from duvo_async.models.sandboxes import (
        Sandbox,
        SandboxFile,
        SandboxFileType,
        UploadedFile,
        UploadUrl,
    )
    from duvo_async.models.schedules import Schedule, ScheduleFrequency, Weekday
    from duvo_async.models.team_files import (
        TeamFile,
        TeamFileDownloadUrl,
        TeamFileMetadata,
        TeamFileUploadUrl,
    )
    from duvo_async.models.teams import Profile, Team, TeamDiscoveryMode, TeamMember, TeamSummary
    from duvo_async.models.uploads import UploadOutcome, UploadProgress
else:
    __getattr__, __dir__ = _lazily(
        __name__,
        """
        _json: JSON
        _not_given: NOT_GIVEN NotGiven
        agents: Agent AgentEditor AgentIntegration AgentOverview AgentReference NewAgent
        agents: UserTriggers
        build_configs: AgentModel BrowsingModel BrowsingProvider BuildConfig BuildData BuildModels
        builds: Build NewBuild
        case_history: ApprovalBatch ApprovalDecision ApprovalRow CaseEvent CaseHistory CaseRun
        case_triggers: CaseTrigger CaseTriggerConflicts
        cases: Case CaseDeletion CaseDisplayStatus CaseFilter CasePriority CaseReprocessing
        cases: CaseStatus CaseUpdate MatchSnippet NewCase
        downloads: DownloadedFile DownloadProgress
        evaluations: Evaluation EvaluationStatus IssueCounts
        human_requests: AnsweredHumanRequest HumanAnswer HumanRequest HumanRequestType Question
        human_requests: QuestionOption
        labels: Label Labels
        messages: Message MessagesPage ToolCall ToolResult
        queues: Queue QueueAgents QueueConsumer QueueDeletion QueueProblem QueueProducer
        rate_limit: RateLimit
        responses: APIResponse
        runs: Run RunOutcome RunStatus RunSummary StopResult
        sandboxes: Sandbox SandboxFile SandboxFileType UploadedFile UploadUrl
        schedules: Schedule ScheduleFrequency Weekday
        team_files: TeamFile TeamFileDownloadUrl TeamFileMetadata TeamFileUploadUrl
        teams: Profile Team TeamDiscoveryMode TeamMember TeamSummary
        uploads: UploadOutcome UploadProgress
        """,
    )

__all__ = [
    "JSON",
    "NOT_GIVEN",
    "APIResponse",
    "Agent",
    "AgentEditor",
    "AgentIntegration",
    "AgentModel",
    "AgentOverview",
    "AgentReference",
    "AnsweredHumanRequest",
    "ApprovalBatch",
    "ApprovalDecision",
    "ApprovalRow",
    "BrowsingModel",
    "BrowsingProvider",
    "Build",
    "BuildConfig",
    "BuildData",
    "BuildModels",
    "Case",
    "CaseDeletion",
    "CaseDisplayStatus",
    "CaseEvent",
    "CaseFilter",
    "CaseHistory",
    "CasePriority",
    "CaseReprocessing",
    "CaseRun",
    "CaseStatus",
    "CaseTrigger",
    "CaseTriggerConflicts",
    "CaseUpdate",
    "DownloadProgress",
    "DownloadedFile",
    "Evaluation",
    "EvaluationStatus",
    "HumanAnswer",
    "HumanRequest",
    "HumanRequestType",
    "IssueCounts",
    "Label",
    "Labels",
    "MatchSnippet",
    "Message",
    "MessagesPage",
    "NewAgent",
    "NewBuild",
    "NewCase",
    "NotGiven",
    "Profile",
    "Question",
    "QuestionOption",
    "Queue",
    "QueueAgents",
    "QueueConsumer",
    "QueueDeletion",
    "QueueProblem",
    "QueueProducer",
    "RateLimit",
    "Run",
    "RunOutcome",
    "RunStatus",
    "RunSummary",
    "Sandbox",
    "SandboxFile",
    "SandboxFileType",
    "Schedule",
    "ScheduleFrequency",
    "StopResult",
    "Team",
    "TeamDiscoveryMode",
    "TeamFile",
    "TeamFileDownloadUrl",
    "TeamFileMetadata",
    "TeamFileUploadUrl",
    "TeamMember",
    "TeamSummary",
    "ToolCall",
    "ToolResult",
    "UploadOutcome",
    "UploadProgress",
    "UploadUrl",
    "UploadedFile",
    "UserTriggers",
    "Weekday",
]
