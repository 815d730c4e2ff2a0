"""Build configurations: they are sent back, so nothing of them may get lost."""

from attrs import frozen

from duvo_async.models._extensible import Extensible
from duvo_async.models._json import JSON
from duvo_async.models._not_given import NOT_GIVEN, NotGiven
from duvo_async.models._open_enum import OpenEnum


class BrowsingProvider(OpenEnum):
    """Whose model looks at web pages."""

    GOOGLE = "google"
    ANTHROPIC = "anthropic"


@frozen(kw_only=True)
class AgentModel(Extensible):
    """The model that does an agent's work.

    Attributes:
        model: The model's name.
        extra: What the SDK has no name for.
    """

    model: str | NotGiven | None = NOT_GIVEN


@frozen(kw_only=True)
class BrowsingModel(Extensible):
    """The model that looks at web pages for an agent.

    Attributes:
        provider: Whose model it is.
        model: The model's name.
        extra: What the SDK has no name for.
    """

    provider: BrowsingProvider | NotGiven | None = NOT_GIVEN
    model: str | NotGiven | None = NOT_GIVEN


@frozen(kw_only=True)
class BuildModels(Extensible):
    """The models that an agent uses.

    Attributes:
        agent: The one that does the work.
        browsing: The one that looks at web pages.
        extra: What the SDK has no name for.
    """

    agent: AgentModel | NotGiven | None = NOT_GIVEN
    browsing: BrowsingModel | NotGiven | None = NOT_GIVEN


@frozen(kw_only=True)
class BuildData(Extensible):
    """What an agent works with. `NOT_GIVEN` stands for a field that was not there.

    Attributes:
        input: What the agent is told to do: a text, or messages as JSON.
        models: The models that it uses. Configurations of version `v1` have none.
        files: The files that it is given. None is null.
        skills: The skills that it has. None is null.
        extra: All else, for example `plugins`, `subAgents` and `options`, or the `model` and
            `tools` of version `v1`, as JSON.
    """

    input: JSON | NotGiven = NOT_GIVEN
    models: BuildModels | NotGiven | None = NOT_GIVEN
    files: tuple[str, ...] | NotGiven | None = NOT_GIVEN
    skills: tuple[str, ...] | NotGiven | None = NOT_GIVEN


@frozen(kw_only=True)
class BuildConfig(Extensible):
    """How an agent is set up. What is read and sent back is the same JSON, with all its fields.

    Change it with `attrs.evolve`; `extra` comes along:
    `evolve(config, data=evolve(config.data, input="Reconcile the orders"))`.

    Attributes:
        version: The version of its form. The API takes `v2` for new builds and gives `v1` for old
            ones, too.
        data: What is set up.
        extra: What the SDK has no name for.
    """

    version: str
    data: BuildData
