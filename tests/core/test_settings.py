import copy
import math
import pickle
from typing import Any, cast

import pytest
from attrs.exceptions import FrozenInstanceError

from duvo_async import ConfigurationError, CredentialsError, DuvoError
from duvo_async.credentials import ClientCredentials, Secret
from duvo_async.settings import APIVersion, Settings

KEY = "dv_0123456789abcdefghijABCDEFGHIJ01"


def resolve(**given: Any) -> Settings:  # noqa: ANN401 - wrong types as well
    return Settings.resolve(**{"api_key": KEY, "environ": {}, **given})


# --- where a setting comes from ------------------------------------------------------------------


def key_of(settings: Settings) -> str:
    assert isinstance(settings.credentials, Secret)
    return settings.credentials.reveal()


def test_without_anything_but_a_key_it_is_production_v1() -> None:
    assert resolve() == resolve(
        base_url="https://api.duvo.ai",
        api_version="v1",
        team_id=None,
        timeout=30,
        connect_timeout=10,
    )


def test_the_environment_is_read_where_no_argument_is_given() -> None:
    environ = {
        "DUVO_API_KEY": "dv_env",
        "DUVO_API_BASE_URL": "https://env.test/v2",
        "DUVO_TEAM_ID": "team-env",
    }
    settings = Settings.resolve(environ=environ)
    assert key_of(settings) == "dv_env"
    assert str(settings.base_url) == "https://env.test"
    assert settings.api_version == "v2"
    assert settings.team_id == "team-env"


def test_arguments_beat_the_environment() -> None:
    environ = {
        "DUVO_API_KEY": "dv_env",
        "DUVO_API_BASE_URL": "https://env.test/v1",
        "DUVO_BASE_URL": "https://other.test/v1",
        "DUVO_TEAM_ID": "team-env",
    }
    settings = Settings.resolve(
        api_key="dv_arg",
        base_url="https://arg.test/v2",
        team_id="team-arg",
        environ=environ,
    )
    assert key_of(settings) == "dv_arg"
    assert str(settings.base_url) == "https://arg.test"
    assert settings.api_version == "v2"
    assert settings.team_id == "team-arg"


@pytest.mark.parametrize(
    ("environ", "url"),
    [
        ({"DUVO_API_BASE_URL": "https://a.test", "DUVO_BASE_URL": "https://b.test"}, "a.test"),
        ({"DUVO_API_BASE_URL": "https://a.test"}, "a.test"),
        ({"DUVO_BASE_URL": "https://b.test/v1"}, "b.test"),
        ({"DUVO_API_BASE_URL": "", "DUVO_BASE_URL": "https://b.test"}, "b.test"),
        ({"DUVO_API_BASE_URL": "", "DUVO_BASE_URL": ""}, "api.duvo.ai"),
    ],
)
def test_the_origin_wins_over_the_users_own_spelling(environ: dict[str, str], url: str) -> None:
    assert resolve(environ=environ).base_url.host == url


def test_the_process_environment_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DUVO_API_KEY", "dv_process")
    monkeypatch.setenv("DUVO_TEAM_ID", "team-process")
    settings = Settings.resolve()
    assert key_of(settings) == "dv_process"
    assert settings.team_id == "team-process"


def test_an_empty_team_in_the_environment_is_none() -> None:
    assert resolve(environ={"DUVO_TEAM_ID": ""}).team_id is None


def test_the_version_in_the_environments_url_counts() -> None:
    environ = {"DUVO_BASE_URL": "https://b.test/v2", "DUVO_TEAM_ID": "t"}
    assert resolve(environ=environ).api_version == "v2"


# --- the base URL --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "url", "version"),
    [
        ("https://api.test", "https://api.test", "v1"),
        ("https://api.test/", "https://api.test", "v1"),
        ("https://api.test//", "https://api.test", "v1"),
        ("https://api.test/v1", "https://api.test", "v1"),
        ("https://api.test/v1/", "https://api.test", "v1"),
        ("https://api.test/v2", "https://api.test", "v2"),
        ("https://api.test/v2///", "https://api.test", "v2"),
        ("https://api.test?", "https://api.test", "v1"),
        ("http://localhost:8080/v1", "http://localhost:8080", "v1"),
        ("https://proxy.test/duvo", "https://proxy.test/duvo", "v1"),
        ("https://proxy.test/duvo/", "https://proxy.test/duvo", "v1"),
        ("https://proxy.test/duvo/v2/", "https://proxy.test/duvo", "v2"),
        ("https://proxy.test/v1/duvo", "https://proxy.test/v1/duvo", "v1"),
        ("https://proxy.test/apiv2", "https://proxy.test/apiv2", "v1"),
        ("https://proxy.test/a%20b/v2", "https://proxy.test/a%20b", "v2"),
        ("https://proxy.test/a%2Fb/v2", "https://proxy.test/a%2Fb", "v2"),
        ("http://[::1]:8080", "http://[::1]:8080", "v1"),
        ("http://[::1]/v2", "http://[::1]", "v2"),
        ("http://[2001:db8::1]:443/p/v1/", "http://[2001:db8::1]:443/p", "v1"),
        ("http://127.0.0.1:1/v1", "http://127.0.0.1:1", "v1"),
        ("HTTPS://API.TEST/v1", "https://api.test", "v1"),
    ],
)
def test_a_base_url_is_an_origin_with_a_version_perhaps(text: str, url: str, version: str) -> None:
    settings = resolve(base_url=text, team_id="team")
    assert str(settings.base_url).rstrip("/") == url
    assert settings.api_version == version
    assert not settings.base_url.raw_path.removeprefix("/").endswith("/")


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "api.test",
        "//api.test",
        "/v1",
        "ftp://api.test",
        "file:///etc/passwd",
        "mailto:a@api.test",
        "https://",
        "https:///v1",
        "https://api.test:port",
        "https://api.test:99999",
        "http://[::1",
        "http://::1]/v1",
        "https://xn--/",
        "https://api test",
        " https://api.test",
        "https://api.test ",
        "https://api.test/v1?key=value",
        "https://api.test?x",
        "https://api.test/v1#part",
        "https://user@api.test",
        "https://user:hunter2@api.test/v1",
        "https://:hunter2@api.test/v1",
        "https://user:hunter2@api.test:port/v1",
    ],
)
def test_a_base_url_that_cannot_work_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        resolve(base_url=text)
    assert not isinstance(caught.value, CredentialsError)
    assert "base URL" in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_a_refused_url_shows_nothing_of_its_query() -> None:
    with pytest.raises(ConfigurationError) as caught:
        resolve(base_url="api.test/v1?signature=hunter2")
    assert "hunter2" not in str(caught.value)


# --- the version and its team --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("base_url", "given", "version"),
    [
        ("https://api.test", None, "v1"),
        ("https://api.test", "v1", "v1"),
        ("https://api.test", "v2", "v2"),
        ("https://api.test/v1", "v1", "v1"),
        ("https://api.test/v2", "v2", "v2"),
        ("https://api.test/v2", None, "v2"),
    ],
)
def test_the_version_is_the_arguments_or_the_urls(
    base_url: str, given: APIVersion | None, version: str
) -> None:
    settings = resolve(base_url=base_url, api_version=given, team_id="team")
    assert settings.api_version == version


@pytest.mark.parametrize(("in_url", "given"), [("v1", "v2"), ("v2", "v1")])
def test_a_version_that_contradicts_the_url_is_refused(in_url: str, given: APIVersion) -> None:
    with pytest.raises(ConfigurationError, match=rf"'{given}'.*/{in_url}"):
        resolve(base_url=f"https://api.test/{in_url}", api_version=given, team_id="team")


@pytest.mark.parametrize("version", ["v3", "", "V1", "1", 1, 2.0, ["v1"]])
def test_a_version_that_nobody_knows_is_refused(version: object) -> None:
    with pytest.raises(ConfigurationError, match="api_version must be one of"):
        resolve(api_version=version)


@pytest.mark.parametrize(
    "given",
    [
        {"api_version": "v2"},
        {"base_url": "https://api.test/v2"},
        {"api_version": "v2", "environ": {"DUVO_API_KEY": KEY, "DUVO_TEAM_ID": ""}},
        {"api_version": "v2", "environ": {"DUVO_API_KEY": KEY, "DUVO_TEAM_ID": " "}},
    ],
)
def test_v2_without_a_team_finds_it_later(given: dict[str, object]) -> None:
    assert resolve(**given).team_id is None


@pytest.mark.parametrize("team_id", ["", " ", "\t"])
def test_a_team_without_a_name_is_refused(team_id: str) -> None:
    for version in ("v1", "v2"):
        with pytest.raises(ConfigurationError, match="team_id must not be empty"):
            resolve(api_version=version, team_id=team_id)


@pytest.mark.parametrize("team_id", [7, b"t", ["t"], True])
def test_a_team_that_is_no_text_is_refused(team_id: object) -> None:
    with pytest.raises(TypeError, match="team_id must be a string"):
        resolve(team_id=team_id)


def test_v1_needs_no_team_and_takes_one() -> None:
    assert resolve(api_version="v1").team_id is None
    assert resolve(api_version="v1", team_id="team").team_id == "team"


# --- the key -------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", [KEY, "x", "eyJhbGciOi.eyJz.sig-_~+/=", "!#$%&'*"])
def test_any_key_that_a_header_can_hold_is_taken_as_it_is(key: str) -> None:
    assert key_of(resolve(api_key=key)) == key
    assert key_of(resolve(api_key=None, environ={"DUVO_API_KEY": key})) == key


CLIENT = {"DUVO_CLIENT_ID": "id-1", "DUVO_CLIENT_SECRET": "secret-1"}


def test_a_client_in_the_environment_is_taken_where_there_is_no_key() -> None:
    found = resolve(api_key=None, environ=CLIENT).credentials
    assert found == ClientCredentials("id-1", "secret-1")
    both = resolve(api_key=None, environ={**CLIENT, "DUVO_API_KEY": KEY})
    assert key_of(both) == KEY
    assert key_of(resolve(api_key=KEY, environ=CLIENT)) == KEY


@pytest.mark.parametrize("name", CLIENT)
def test_half_a_client_in_the_environment_is_refused(name: str) -> None:
    with pytest.raises(CredentialsError, match="DUVO_CLIENT_ID and DUVO_CLIENT_SECRET"):
        resolve(api_key=None, environ={name: CLIENT[name]})


def test_credentials_of_ones_own_are_taken_in_place_of_any_key() -> None:
    client, environ = ClientCredentials("id-1", "secret-1"), {"DUVO_API_KEY": KEY}
    assert resolve(api_key=None, auth=client, environ=environ).credentials is client

    def token() -> str:
        return "t"

    assert resolve(api_key=None, auth=token, environ=environ).credentials is token
    with pytest.raises(ConfigurationError, match="api_key or auth"):
        resolve(api_key=KEY, auth=client)


@pytest.mark.parametrize("auth", ["token", b"token", 7, {"client_id": "a"}])
def test_credentials_that_are_none_are_refused(auth: object) -> None:
    with pytest.raises(TypeError, match="auth must be"):
        resolve(api_key=None, auth=auth)


@pytest.mark.parametrize("key", ["", " ", "\n", "\t \r\n", "\u2003"])
def test_an_empty_or_blank_key_says_where_keys_come_from(key: str) -> None:
    for given in ({"api_key": key}, {"api_key": None, "environ": {"DUVO_API_KEY": key}}):
        with pytest.raises(CredentialsError, match=r"api_key=.*DUVO_API_KEY"):
            resolve(**given)


def test_a_missing_key_is_a_credentials_error() -> None:
    with pytest.raises(CredentialsError, match="no API key"):
        Settings.resolve(environ={})


def test_an_empty_key_does_not_fall_back_to_the_environment() -> None:
    with pytest.raises(CredentialsError, match="no API key"):
        resolve(api_key="", environ={"DUVO_API_KEY": KEY})


@pytest.mark.parametrize(
    ("key", "position", "what"),
    [
        ("dv_secret\n", 9, "newline"),
        ("\rdv_secret", 0, "newline"),
        ("dv_sec\r\nret", 6, "newline"),
        ("dv_sec ret", 6, "no header"),
        ("dv_secret ", 9, "no header"),
        (" dv_secret", 0, "no header"),
        ("dv_\tsecret", 3, "no header"),
        ("dv_sécret", 4, "no header"),
        ("dv_secret\u200b", 9, "no header"),
        ("dv_secret\x00", 9, "no header"),
        ("dv_secret\x7f", 9, "no header"),
        ("dv_secret\ud800", 9, "no header"),
    ],
)
@pytest.mark.parametrize("source", ["api_key", "DUVO_API_KEY"])
def test_a_key_that_no_header_can_hold_is_refused_and_not_shown(
    key: str, position: int, what: str, source: str
) -> None:
    given: dict[str, object] = {"api_key": key}
    if source == "DUVO_API_KEY":
        given = {"api_key": None, "environ": {"DUVO_API_KEY": key}}
    with pytest.raises(CredentialsError) as caught:
        resolve(**given)
    assert source in str(caught.value)
    assert what in str(caught.value)
    assert f"position {position}" in str(caught.value)
    for shown in (str(caught.value), repr(caught.value), repr(caught.value.__dict__)):
        assert key.strip() not in shown
        assert "sec" not in shown
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


@pytest.mark.parametrize("key", [5, b"dv_secret", ["dv_secret"], True])
def test_a_key_that_is_no_text_is_a_wrong_argument(key: object) -> None:
    with pytest.raises((TypeError, ValueError)) as caught:
        resolve(api_key=key)
    assert "dv_secret" not in str(caught.value)


@pytest.mark.parametrize("show", [repr, str, "{}".format])
def test_the_key_is_in_no_repr(show: Any) -> None:  # noqa: ANN401 - a way to show
    assert KEY not in show(resolve())
    assert "api.duvo.ai" in show(resolve())


# --- time-outs -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["timeout", "connect_timeout"])
@pytest.mark.parametrize("seconds", [0.001, 1, 30, 86_400.5])
def test_a_positive_number_of_seconds_is_a_timeout(name: str, seconds: float) -> None:
    kept = getattr(resolve(**{name: seconds}), name)
    assert kept == seconds
    assert isinstance(kept, float)


@pytest.mark.parametrize("name", ["timeout", "connect_timeout"])
@pytest.mark.parametrize("seconds", [0, -0.0, -1, -0.5, math.nan, math.inf, -math.inf])
def test_any_other_number_is_refused(name: str, seconds: float) -> None:
    with pytest.raises(ConfigurationError, match=f"^{name} must be a positive number"):
        resolve(**{name: seconds})


@pytest.mark.parametrize("name", ["timeout", "connect_timeout"])
@pytest.mark.parametrize("seconds", ["30", None, pytest.param(10**400, id="huge")])
def test_a_timeout_that_is_no_number_of_seconds_is_a_wrong_argument(
    name: str, seconds: object
) -> None:
    with pytest.raises((TypeError, ValueError)):
        resolve(**{name: seconds})


# --- the budget ----------------------------------------------------------------------------------


def test_without_being_told_the_budget_is_the_apis_and_one_processs() -> None:
    assert resolve().requests_per_minute is None
    assert resolve().processes == 1
    assert resolve(requests_per_minute=None) == resolve(processes=1) == resolve()


@pytest.mark.parametrize("name", ["requests_per_minute", "processes"])
@pytest.mark.parametrize("number", [1, 2, 300, 10**9])
def test_a_positive_whole_number_is_taken(name: str, number: int) -> None:
    assert getattr(resolve(**{name: number}), name) == number
    assert resolve(**{name: number}) == resolve(**{name: number})
    assert (resolve(**{name: number}) == resolve()) == (name == "processes" and number == 1)


@pytest.mark.parametrize("name", ["requests_per_minute", "processes"])
@pytest.mark.parametrize("number", [0, -1, -300])
def test_less_than_one_is_refused(name: str, number: int) -> None:
    with pytest.raises(ConfigurationError, match=f"^{name} must be at least 1, not {number}$"):
        resolve(**{name: number})


@pytest.mark.parametrize(
    ("name", "number"),
    [
        (name, number)
        for name in ("requests_per_minute", "processes")
        for number in (1.0, 0.5, math.nan, math.inf, "300", b"1", True, False, [1])
    ],
)
def test_what_is_no_whole_number_is_a_wrong_argument(name: str, number: object) -> None:
    with pytest.raises(TypeError, match=f"^{name} must be a whole number, not "):
        resolve(**{name: number})


@pytest.mark.parametrize(
    "url",
    [
        "redis://127.0.0.1",
        "redis://:p%40ss@cache.test:7000/3",
        "rediss://user:pass@cache.test/0?ssl_cert_reqs=none",
        "unix:///run/redis.sock?db=2",
    ],
)
def test_a_budget_may_be_in_redis(url: str) -> None:
    settings = resolve(budget=url)
    assert settings.budget is not None
    assert settings.budget.reveal() == url
    assert url not in repr(settings)
    assert resolve(budget=None).budget is None


def test_the_environment_may_say_where_it_is() -> None:
    environ = {"DUVO_BUDGET_URL": "redis://cache.test"}
    settings = resolve(environ=environ)
    assert settings.budget is not None
    assert settings.budget.reveal() == "redis://cache.test"
    assert settings.processes == 10
    given = resolve(environ=environ, budget="redis://other.test").budget
    assert given is not None
    assert given.reveal() == "redis://other.test"
    assert resolve(environ=environ, budget="").budget is None
    assert resolve(environ=environ, budget="").processes == 1
    assert resolve(environ={"DUVO_BUDGET_URL": ""}).budget is None
    with pytest.raises(ConfigurationError, match=r"^DUVO_BUDGET_URL must be where Redis is"):
        resolve(environ={"DUVO_BUDGET_URL": "cache.test"})


def test_nobody_says_how_many_share_it() -> None:
    assert resolve(budget="redis://127.0.0.1").processes == 10
    assert resolve(budget="redis://127.0.0.1", processes=3).processes == 3


@pytest.mark.parametrize(
    "url",
    [" ", "redis", "redis:", "redis://", "http://cache.test", "unix://", "redis://h:port", "//h"],
)
def test_a_budget_must_be_somewhere(url: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^budget (must be where|cannot be read)"):
        resolve(budget=url)


def test_what_is_wrong_with_a_budget_is_told_without_its_password() -> None:
    for url in ("http://:hunter22@cache.test", "redis://:hunter22@cache.test:port"):
        with pytest.raises(ConfigurationError) as caught:
            resolve(budget=url)
        assert "hunter22" not in str(caught.value)
    with pytest.raises(TypeError, match="budget must be a string, not bytes"):
        resolve(budget=b"redis://cache.test")


def test_processes_that_share_a_budget_must_know_that_they_do() -> None:
    with pytest.raises(ConfigurationError, match="needs an API key or ClientCredentials"):
        resolve(api_key=None, auth=lambda: "token", budget="redis://cache.test")
    auth = ClientCredentials("client", "secret")
    assert resolve(api_key=None, auth=auth, budget="redis://cache.test").budget is not None


# --- the value -----------------------------------------------------------------------------------


def test_settings_never_change() -> None:
    with pytest.raises(FrozenInstanceError):
        cast("Any", resolve()).timeout = 1.0


def test_settings_are_values() -> None:
    assert resolve() == resolve()
    assert resolve() != resolve(timeout=1)


def test_the_key_is_neither_shown_nor_pickled() -> None:
    assert KEY not in repr(resolve())
    for write in (pickle.dumps, copy.deepcopy, copy.copy):
        with pytest.raises(TypeError, match="credentials"):
            write(resolve().credentials)


def test_configuration_errors_are_value_errors_of_the_sdk() -> None:
    assert issubclass(ConfigurationError, ValueError)
    assert issubclass(ConfigurationError, DuvoError)
    assert issubclass(CredentialsError, ConfigurationError)
