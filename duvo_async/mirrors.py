"""The blocking faces of the resources: mirrors, with no logic of their own."""

from typing import Final

from duvo_async._bridge import Bridge
from duvo_async._mirror import Mirror, blocking, blocking_items
from duvo_async.resources.agents import AsyncAgents
from duvo_async.resources.builds import AsyncBuilds
from duvo_async.resources.case_labels import AsyncCaseLabels
from duvo_async.resources.case_triggers import AsyncCaseTriggers
from duvo_async.resources.cases import AsyncCases
from duvo_async.resources.files import AsyncFiles
from duvo_async.resources.queue_labels import AsyncQueueLabels
from duvo_async.resources.queues import AsyncQueues
from duvo_async.resources.runs import AsyncRuns
from duvo_async.resources.sandboxes import AsyncSandboxes
from duvo_async.resources.schedules import AsyncSchedules
from duvo_async.resources.teams import AsyncTeams


class Runs(Mirror[AsyncRuns]):
    """The runs of the key's team: `AsyncRuns`, blocking."""

    __slots__ = ()

    start: Final = blocking(AsyncRuns.start)
    get: Final = blocking(AsyncRuns.get)
    list: Final = blocking_items(AsyncRuns.list)
    wait: Final = blocking(AsyncRuns.wait)
    execute: Final = blocking(AsyncRuns.execute)
    watch: Final = blocking_items(AsyncRuns.watch)
    wait_many: Final = blocking_items(AsyncRuns.wait_many)
    map: Final = blocking_items(AsyncRuns.map)
    messages: Final = blocking_items(AsyncRuns.messages)
    messages_page: Final = blocking(AsyncRuns.messages_page)
    post_message: Final = blocking(AsyncRuns.post_message)
    respond: Final = blocking(AsyncRuns.respond)
    answer: Final = blocking(AsyncRuns.answer)
    stop: Final = blocking(AsyncRuns.stop)


class Sandboxes(Mirror[AsyncSandboxes]):
    """The sandboxes of the key's team: `AsyncSandboxes`, blocking."""

    __slots__ = ()

    create: Final = blocking(AsyncSandboxes.create)
    upload: Final = blocking(AsyncSandboxes.upload)
    upload_many: Final = blocking(AsyncSandboxes.upload_many)
    sync: Final = blocking(AsyncSandboxes.sync)
    create_upload_url: Final = blocking(AsyncSandboxes.create_upload_url)
    files: Final = blocking_items(AsyncSandboxes.files)


class Schedules(Mirror[AsyncSchedules]):
    """The schedules of agents: `AsyncSchedules`, blocking."""

    __slots__ = ()

    list: Final = blocking_items(AsyncSchedules.list)
    create: Final = blocking(AsyncSchedules.create)
    update: Final = blocking(AsyncSchedules.update)
    delete: Final = blocking(AsyncSchedules.delete)


class CaseTriggers(Mirror[AsyncCaseTriggers]):
    """The case triggers of agents: `AsyncCaseTriggers`, blocking."""

    __slots__ = ()

    list: Final = blocking_items(AsyncCaseTriggers.list)
    create: Final = blocking(AsyncCaseTriggers.create)
    get: Final = blocking(AsyncCaseTriggers.get)
    update: Final = blocking(AsyncCaseTriggers.update)
    delete: Final = blocking(AsyncCaseTriggers.delete)
    conflicts: Final = blocking(AsyncCaseTriggers.conflicts)


class Agents(Mirror[AsyncAgents]):
    """The agents of the key's team: `AsyncAgents`, blocking.

    Attributes:
        schedules: When they start runs by themselves.
        case_triggers: Which queues they work off.
    """

    __slots__ = ("case_triggers", "schedules")

    def __init__(self, bridge: Bridge, mirrored: AsyncAgents) -> None:
        super().__init__(bridge, mirrored)
        self.schedules: Schedules = Schedules(bridge, mirrored.schedules)
        self.case_triggers: CaseTriggers = CaseTriggers(bridge, mirrored.case_triggers)

    list: Final = blocking_items(AsyncAgents.list)
    create: Final = blocking(AsyncAgents.create)
    get: Final = blocking(AsyncAgents.get)
    update: Final = blocking(AsyncAgents.update)
    delete: Final = blocking(AsyncAgents.delete)


class Builds(Mirror[AsyncBuilds]):
    """The builds of agents: `AsyncBuilds`, blocking."""

    __slots__ = ()

    list: Final = blocking_items(AsyncBuilds.list)
    create: Final = blocking(AsyncBuilds.create)
    get: Final = blocking(AsyncBuilds.get)
    update: Final = blocking(AsyncBuilds.update)
    promote: Final = blocking(AsyncBuilds.promote)


class QueueLabels(Mirror[AsyncQueueLabels]):
    """The labels of queues: `AsyncQueueLabels`, blocking."""

    __slots__ = ()

    list: Final = blocking_items(AsyncQueueLabels.list)
    create: Final = blocking(AsyncQueueLabels.create)
    update: Final = blocking(AsyncQueueLabels.update)
    delete: Final = blocking(AsyncQueueLabels.delete)


class Queues(Mirror[AsyncQueues]):
    """The queues of the team: `AsyncQueues`, blocking.

    Attributes:
        labels: The labels of queues.
    """

    __slots__ = ("labels",)

    def __init__(self, bridge: Bridge, mirrored: AsyncQueues) -> None:
        super().__init__(bridge, mirrored)
        self.labels: QueueLabels = QueueLabels(bridge, mirrored.labels)

    create: Final = blocking(AsyncQueues.create)
    get: Final = blocking(AsyncQueues.get)
    list: Final = blocking_items(AsyncQueues.list)
    update: Final = blocking(AsyncQueues.update)
    delete: Final = blocking(AsyncQueues.delete)
    agents: Final = blocking(AsyncQueues.agents)


class CaseLabels(Mirror[AsyncCaseLabels]):
    """The labels of cases: `AsyncCaseLabels`, blocking."""

    __slots__ = ()

    list: Final = blocking_items(AsyncCaseLabels.list)
    assign: Final = blocking(AsyncCaseLabels.assign)
    unlink: Final = blocking(AsyncCaseLabels.unlink)


class Cases(Mirror[AsyncCases]):
    """The cases of the team's queues: `AsyncCases`, blocking.

    Attributes:
        labels: The labels of cases.
    """

    __slots__ = ("labels",)

    def __init__(self, bridge: Bridge, mirrored: AsyncCases) -> None:
        super().__init__(bridge, mirrored)
        self.labels: CaseLabels = CaseLabels(bridge, mirrored.labels)

    create: Final = blocking(AsyncCases.create)
    create_many: Final = blocking_items(AsyncCases.create_many)
    list: Final = blocking_items(AsyncCases.list)
    search: Final = blocking_items(AsyncCases.search)
    get: Final = blocking(AsyncCases.get)
    delete: Final = blocking(AsyncCases.delete)
    clear: Final = blocking(AsyncCases.clear)
    delete_many: Final = blocking(AsyncCases.delete_many)
    reprocess_many: Final = blocking(AsyncCases.reprocess_many)
    update_status: Final = blocking(AsyncCases.update_status)
    update_priority: Final = blocking(AsyncCases.update_priority)
    runs: Final = blocking_items(AsyncCases.runs)
    recent_messages: Final = blocking(AsyncCases.recent_messages)


class Teams(Mirror[AsyncTeams]):
    """The teams that the credentials can act on: `AsyncTeams`, blocking."""

    __slots__ = ()

    list: Final = blocking_items(AsyncTeams.list)
    get: Final = blocking(AsyncTeams.get)
    members: Final = blocking_items(AsyncTeams.members)
    profile: Final = blocking(AsyncTeams.profile)


class Files(Mirror[AsyncFiles]):
    """The files of the team: `AsyncFiles`, blocking."""

    __slots__ = ()

    list: Final = blocking_items(AsyncFiles.list)
    upload: Final = blocking(AsyncFiles.upload)
    download: Final = blocking(AsyncFiles.download)
    read_text: Final = blocking(AsyncFiles.read_text)
    write_text: Final = blocking(AsyncFiles.write_text)
    rename: Final = blocking(AsyncFiles.rename)
    delete: Final = blocking(AsyncFiles.delete)
    create_upload_url: Final = blocking(AsyncFiles.create_upload_url)
    create_download_url: Final = blocking(AsyncFiles.create_download_url)
