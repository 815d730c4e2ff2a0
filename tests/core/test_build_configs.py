"""A build's configuration is sent back as it was read, whatever is in it."""

import copy
import json
import pickle
from collections.abc import Callable
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from duvo_async import (
    JSON,
    NOT_GIVEN,
    AgentModel,
    BrowsingModel,
    BrowsingProvider,
    BuildConfig,
    BuildData,
    BuildModels,
)
from duvo_async import _operations as operations
from duvo_async._protocol import Response
from duvo_async._routes import Routes
from tests.support.bodies import json_values
from tests.support.properties import unhurried

ROUTES = Routes("v2", "team-7")
texts = st.text(st.characters(codec="utf-8"))
many_texts = st.none() | st.lists(texts, max_size=3)
inputs = texts | st.lists(
    st.fixed_dictionaries({"role": texts, "content": json_values}), max_size=2
)


CONFIG_NAMES = {"version", "data", "models", "input", "files", "skills"}
MODEL_NAMES = {"agent", "browsing", "provider", "model"}
NAMED = CONFIG_NAMES | MODEL_NAMES
names = (texts | st.sampled_from(["extra", "_extra"])).filter(lambda name: name not in NAMED)


def level(known: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[dict[str, Any]]:
    """An object that has some of the known fields, and whatever others."""
    others = st.dictionaries(names, json_values, max_size=3)
    own = st.fixed_dictionaries({}, optional=known)
    return st.builds(lambda extra, own: {**extra, **own}, others, own)


def config_of(version: str, data: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[Any]:
    return st.builds(
        lambda extra, data: {**extra, "version": version, "data": data},
        level({}),
        data,
    )


agent_models = level({"model": st.none() | texts})
browsing_models = level({"provider": st.none() | texts, "model": st.none() | texts})
both_models = level({"agent": st.none() | agent_models, "browsing": st.none() | browsing_models})
v1_data = level(
    {
        "model": texts,
        "tools": json_values,
        "temperature": st.none() | st.floats(0, 2),
        "input": inputs,
        "text": json_values,
        "files": many_texts,
        "skills": many_texts,
    }
)
v2_data = level(
    {
        "models": st.none() | both_models,
        "input": st.none() | inputs,
        "files": many_texts,
        "skills": many_texts,
        "plugins": many_texts,
        "subAgents": many_texts,
        "options": json_values,
    }
)
configs = config_of("v1", v1_data) | config_of("v2", v2_data)

MESSAGES: JSON = [{"role": "user", "content": [{"type": "input_text", "text": "go"}], "type": None}]
V2: dict[str, Any] = {
    "version": "v2",
    "revision": 7,
    "data": {
        "models": {
            "agent": {"model": "fast", "effort": "high"},
            "browsing": {"provider": "google", "model": "sharp", "headless": True},
            "speaking": {"model": "loud"},
        },
        "input": MESSAGES,
        "files": ["a.csv"],
        "skills": None,
        "plugins": ["p"],
        "subAgents": None,
        "options": {"browserProvider": "browserbase", "ratio": 1.0},
    },
}
V1: dict[str, Any] = {
    "version": "v1",
    "data": {"model": "old", "tools": [{}], "input": "go", "temperature": None, "files": []},
}


def read(config: object) -> BuildConfig:
    """Read a build with this configuration."""
    body = {"build": {"id": "b", "agent_id": "a", "name": "n", "config": config}}
    response = Response(status=200, reason="OK", headers={}, body=json.dumps(body).encode())
    build = operations.get_build(ROUTES, "a", "b").decode(response)
    assert build.config is not None
    return build.config


def sent(config: Any) -> dict[str, Any]:  # noqa: ANN401 - a configuration or JSON
    """Send it back, and see what goes over the wire."""
    call = operations.update_build(
        ROUTES,
        "b",
        config=config,
        handover_target_ids=NOT_GIVEN,
        revision_name=NOT_GIVEN,
        revision_description=NOT_GIVEN,
        idempotency_key=None,
    )
    assert isinstance(call.request.body, bytes)
    body: dict[str, dict[str, Any]] = json.loads(call.request.body)
    return body["config"]


def pickled(config: BuildConfig) -> BuildConfig:
    """Pickle it and read it again."""
    again: BuildConfig = pickle.loads(pickle.dumps(config))  # noqa: S301 - our own
    return again


def exactly(value: object) -> str:
    """JSON as text: 1, 1.0 and true differ, the order of names does not."""
    return json.dumps(value, sort_keys=True)


@unhurried
@given(configs)
def test_what_was_read_is_sent_back_as_it_was(config: dict[str, Any]) -> None:
    assert exactly(sent(read(config))) == exactly(config)


@unhurried
@given(configs, inputs)
def test_what_is_changed_is_all_that_changes(config: dict[str, Any], said: Any) -> None:  # noqa: ANN401
    before = read(config)
    changed = attrs.evolve(before, data=attrs.evolve(before.data, input=said))
    assert exactly(sent(changed)) == exactly({**config, "data": {**config["data"], "input": said}})
    assert exactly(sent(before)) == exactly(config)


@unhurried
@given(configs, st.sampled_from([copy.copy, copy.deepcopy, pickled]))
def test_a_copy_is_sent_as_the_original(
    config: dict[str, Any], duplicate: Callable[[BuildConfig], BuildConfig]
) -> None:
    original = read(config)
    twin = duplicate(original)
    assert twin == original
    assert twin.extra == original.extra
    assert exactly(sent(twin)) == exactly(config)


@unhurried
@given(configs)
def test_json_of_ones_own_is_sent_as_it_is(config: dict[str, Any]) -> None:
    assert exactly(sent(config)) == exactly(config)


@unhurried
@given(configs)
def test_reading_what_was_sent_gives_the_same(config: dict[str, Any]) -> None:
    once = read(config)
    again = read(sent(once))
    assert again == once
    assert again.data.extra == once.data.extra


def test_what_has_a_name_is_read() -> None:
    assert read(V2) == BuildConfig(
        version="v2",
        data=BuildData(
            models=BuildModels(
                agent=AgentModel(model="fast"),
                browsing=BrowsingModel(provider=BrowsingProvider.GOOGLE, model="sharp"),
            ),
            input=MESSAGES,
            files=("a.csv",),
            skills=None,
        ),
    )
    assert read(V1) == BuildConfig(version="v1", data=BuildData(input="go", files=()))


def test_what_has_no_name_is_in_extra() -> None:
    config = read(V2)
    models = config.data.models
    assert models
    assert models.agent
    assert models.browsing
    assert config.extra == {"revision": 7}
    assert set(config.data.extra) == {"plugins", "subAgents", "options"}
    assert models.extra == {"speaking": {"model": "loud"}}
    assert models.agent.extra == {"effort": "high"}
    assert models.browsing.extra == {"headless": True}
    assert read(V1).data.extra == {"model": "old", "tools": [{}], "temperature": None}


def test_absent_is_not_null() -> None:
    absent = read({"version": "v2", "data": {}})
    null = read({"version": "v2", "data": {"files": None}})
    assert absent.data.files is NOT_GIVEN
    assert null.data.files is None
    assert absent != null
    assert sent(absent) == {"version": "v2", "data": {}}
    assert sent(null) == {"version": "v2", "data": {"files": None}}
    assert sent(attrs.evolve(null, data=attrs.evolve(null.data, files=NOT_GIVEN))) == sent(absent)


def test_a_version_of_tomorrow_is_kept_too() -> None:
    config = {"version": "v3", "data": {"brain": {"size": 7}}}
    assert sent(read(config)) == config


def test_a_configuration_is_made_by_hand() -> None:
    config = BuildConfig(
        version="v2",
        data=BuildData(
            models=BuildModels(
                agent=AgentModel(model="fast"),
                browsing=BrowsingModel(provider=BrowsingProvider.ANTHROPIC, model="sharp"),
            ),
            input="go",
            files=("a.csv",),
            extra={"plugins": ["p"]},
        ),
    )
    assert sent(config) == {
        "version": "v2",
        "data": {
            "models": {
                "agent": {"model": "fast"},
                "browsing": {"provider": "anthropic", "model": "sharp"},
            },
            "input": "go",
            "files": ["a.csv"],
            "plugins": ["p"],
        },
    }


def test_extra_is_changed_in_a_copy_only() -> None:
    before = read(V2)
    extra: Any = before.data.extra
    with pytest.raises(TypeError):
        extra["plugins"] = []
    changed = attrs.evolve(before.data, extra={**before.data.extra, "plugins": ["q"]})
    assert sent(attrs.evolve(before, data=changed))["data"]["plugins"] == ["q"]
    assert sent(before) == V2
