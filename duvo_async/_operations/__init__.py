"""The API's operations: what each sends, and what its answer means. Nothing here awaits."""

import typing

from duvo_async._lazy import lazily as _lazily

if typing.TYPE_CHECKING:
    from duvo_async._operations._fields import SortOrder
    from duvo_async._operations.agents import (
        MAX_AGENTS,
        create_agent,
        delete_agent,
        get_agent,
        list_agents,
        update_agent,
    )
    from duvo_async._operations.any import Data, Params, any_request
    from duvo_async._operations.builds import (
        MAX_BUILDS,
        create_build,
        get_build,
        list_builds,
        promote_build,
        update_build,
    )
    from duvo_async._operations.bulk_cases import (
        bulk_delete_cases,
        bulk_reprocess_cases,
        bulk_update_priority,
        bulk_update_status,
    )
    from duvo_async._operations.case_triggers import (
        create_case_trigger,
        delete_case_trigger,
        find_case_trigger_conflicts,
        get_case_trigger,
        list_case_triggers,
        update_case_trigger,
    )
    from duvo_async._operations.cases import (
        MAX_CASES,
        CaseSort,
        clear_cases,
        create_case,
        create_cases,
        delete_case,
        get_case,
        list_case_runs,
        list_cases,
        list_recent_messages,
        search_cases,
    )
    from duvo_async._operations.labels import (
        MAX_LABELS,
        assign_case_labels,
        create_queue_label,
        delete_queue_label,
        list_case_labels,
        list_queue_labels,
        unlink_case_labels,
        update_queue_label,
    )
    from duvo_async._operations.queues import (
        MAX_QUEUES,
        create_queue,
        delete_queue,
        get_queue,
        list_queue_agents,
        list_queues,
        update_queue,
    )
    from duvo_async._operations.run_list import MAX_RUNS, find_runs
    from duvo_async._operations.runs import (
        MAX_PAGE_SIZE,
        get_run,
        health,
        list_messages,
        list_runs,
        post_message,
        respond,
        start_run,
        stop_run,
    )
    from duvo_async._operations.sandboxes import (
        create_sandbox,
        create_upload_url,
        list_files,
        upload_file,
    )
    from duvo_async._operations.schedules import (
        create_schedule,
        delete_schedule,
        list_schedules,
        update_schedule,
    )
    from duvo_async._operations.team_files import (
        create_team_file_download_url,
        create_team_file_upload_url,
        delete_team_file,
        list_team_files,
        read_team_file,
        rename_team_file,
        write_team_file,
    )
    from duvo_async._operations.teams import (
        MAX_MEMBERS,
        get_profile,
        get_team,
        list_members,
        list_teams,
    )
else:
    __getattr__, __dir__ = _lazily(
        __name__,
        """
        _fields: SortOrder
        agents: MAX_AGENTS create_agent delete_agent get_agent list_agents update_agent
        any: Data Params any_request
        builds: MAX_BUILDS create_build get_build list_builds promote_build update_build
        bulk_cases: bulk_delete_cases bulk_reprocess_cases bulk_update_priority bulk_update_status
        case_triggers: create_case_trigger delete_case_trigger find_case_trigger_conflicts
        case_triggers: get_case_trigger list_case_triggers update_case_trigger
        cases: MAX_CASES CaseSort clear_cases create_case create_cases delete_case get_case
        cases: list_case_runs list_cases list_recent_messages search_cases
        labels: MAX_LABELS assign_case_labels create_queue_label delete_queue_label
        labels: list_case_labels list_queue_labels unlink_case_labels update_queue_label
        queues: MAX_QUEUES create_queue delete_queue get_queue list_queue_agents list_queues
        queues: update_queue
        run_list: MAX_RUNS find_runs
        runs: MAX_PAGE_SIZE get_run health list_messages list_runs post_message respond start_run
        runs: stop_run
        sandboxes: create_sandbox create_upload_url list_files upload_file
        schedules: create_schedule delete_schedule list_schedules update_schedule
        team_files: create_team_file_download_url create_team_file_upload_url delete_team_file
        team_files: list_team_files read_team_file rename_team_file write_team_file
        teams: MAX_MEMBERS get_profile get_team list_members list_teams
        """,
    )

__all__ = [
    "MAX_AGENTS",
    "MAX_BUILDS",
    "MAX_CASES",
    "MAX_LABELS",
    "MAX_MEMBERS",
    "MAX_PAGE_SIZE",
    "MAX_QUEUES",
    "MAX_RUNS",
    "CaseSort",
    "Data",
    "Params",
    "SortOrder",
    "any_request",
    "assign_case_labels",
    "bulk_delete_cases",
    "bulk_reprocess_cases",
    "bulk_update_priority",
    "bulk_update_status",
    "clear_cases",
    "create_agent",
    "create_build",
    "create_case",
    "create_case_trigger",
    "create_cases",
    "create_queue",
    "create_queue_label",
    "create_sandbox",
    "create_schedule",
    "create_team_file_download_url",
    "create_team_file_upload_url",
    "create_upload_url",
    "delete_agent",
    "delete_case",
    "delete_case_trigger",
    "delete_queue",
    "delete_queue_label",
    "delete_schedule",
    "delete_team_file",
    "find_case_trigger_conflicts",
    "find_runs",
    "get_agent",
    "get_build",
    "get_case",
    "get_case_trigger",
    "get_profile",
    "get_queue",
    "get_run",
    "get_team",
    "health",
    "list_agents",
    "list_builds",
    "list_case_labels",
    "list_case_runs",
    "list_case_triggers",
    "list_cases",
    "list_files",
    "list_members",
    "list_messages",
    "list_queue_agents",
    "list_queue_labels",
    "list_queues",
    "list_recent_messages",
    "list_runs",
    "list_schedules",
    "list_team_files",
    "list_teams",
    "post_message",
    "promote_build",
    "read_team_file",
    "rename_team_file",
    "respond",
    "search_cases",
    "start_run",
    "stop_run",
    "unlink_case_labels",
    "update_agent",
    "update_build",
    "update_case_trigger",
    "update_queue",
    "update_queue_label",
    "update_schedule",
    "upload_file",
    "write_team_file",
]
