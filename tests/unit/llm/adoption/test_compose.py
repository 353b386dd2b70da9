"""Composition: who set what, which key is in force where, and what is still missing."""

import traceback
from dataclasses import FrozenInstanceError, replace
from pathlib import Path
from typing import Any, Final, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aurorasoc.config.assignments import Assignment, Assignments
from aurorasoc.config.call_options import NO_OPTIONS, CallOptions
from aurorasoc.config.snapshot import ConnectionConfig, Credential, Problem, Snapshot, Sourced
from aurorasoc.config.vocabulary import ServingBackend
from aurorasoc.errors import ConfigurationError
from aurorasoc.granite.catalog import CATALOG
from aurorasoc.llm.adoption.compose import check_boot_defaults
from aurorasoc.llm.adoption.declared import declared
from aurorasoc.llm.adoption.stored import ConnectionChoice, StoredConfig
from tests.examples import (
    API_KEY,
    OTHER_API_KEY,
    OTHER_SEED,
    Credentials,
    keyring,
    settings,
    snapshot,
    stored_key,
)

DEEPSEEK: Final = ServingBackend.DEEPSEEK
GEMINI: Final = ServingBackend.GEMINI
OLLAMA: Final = ServingBackend.OLLAMA
VLLM: Final = ServingBackend.VLLM
HOME: Final = "https://api.deepseek.com:443"
GATEWAY: Final = "https://gw.example/v1"
GATEWAY_ORIGIN: Final = "https://gw.example:443"
CANARY: Final = "CANARY-9d41f7"

UNREADABLE: Final = Credential(
    state="needs_reentry",
    source="database",
    origin=HOME,
    last4="abcd",
    tag="unreadable",
    problem=Problem("seed_changed", "No seed here opens it."),
)

Stored = Credentials | None


def _chosen(provider: ServingBackend = DEEPSEEK, /, **fields: Any) -> StoredConfig:
    return StoredConfig(revision=1, providers={provider: ConnectionChoice(**fields)})


def _config(
    folder: Path,
    runtime: StoredConfig | None = None,
    stored: Stored = None,
    provider: ServingBackend = DEEPSEEK,
    /,
    **variables: str,
) -> ConnectionConfig:
    return snapshot(settings(folder, **variables), runtime, stored).connections[provider]


def _codes(config: ConnectionConfig) -> list[str]:
    return [problem.code for problem in config.problems]


def _key(config: ConnectionConfig) -> str | None:
    key = config.credential.api_key
    return key.get_secret_value() if key else None


FIELDS: Final = [
    ("model", "LLM_DEEPSEEK_MODEL", "env-model", "set-model", "deepseek-v4-flash"),
    (
        "orchestrator_model",
        "LLM_DEEPSEEK_ORCHESTRATOR_MODEL",
        "env-model",
        "set-model",
        "deepseek-v4-pro",
    ),
    (
        "base_url",
        "LLM_DEEPSEEK_BASE_URL",
        "https://env.example",
        "https://set.example",
        "https://api.deepseek.com",
    ),
]


@pytest.mark.parametrize("row", FIELDS, ids=lambda row: row[0])
def test_runtime_wins_over_environment_over_default(
    row: tuple[str, str, str, str, str], tmp_path: Path
) -> None:
    """And each value knows which it is."""
    field, variable, env, chosen, default = row
    runtime = _chosen(**{field: chosen})
    by_default = _config(tmp_path)
    by_env = _config(tmp_path, **{variable: env})
    by_choice = _config(tmp_path, runtime, **{variable: env})
    assert getattr(by_default, field) == Sourced(default, "default")
    assert getattr(by_env, field) == Sourced(env, "env")
    assert getattr(by_choice, field) == Sourced(chosen, "runtime")


REQUESTED: Final = [
    ({}, None, ("vllm", "default")),
    ({"LLM_BACKEND": "vllm"}, None, ("vllm", "env")),
    ({"LLM_BACKEND": "gemini"}, None, ("gemini", "env")),
    ({"LLM_BACKEND": "gemini"}, "openai", ("openai", "runtime")),
    ({"LLM_BACKEND": "gemini"}, "auto", ("auto", "runtime")),
]


@pytest.mark.parametrize(("variables", "chosen", "expected"), REQUESTED)
def test_active_choice_has_the_same_precedence(
    variables: dict[str, str], chosen: str | None, expected: tuple[str, str], tmp_path: Path
) -> None:
    """After a restart the runtime choice stands, and is visible as such."""
    requested = snapshot(settings(tmp_path, **variables), StoredConfig(backend=chosen)).requested
    assert (str(requested.value), requested.source) == expected


POLICY: Final[list[tuple[str, str, object, object, object]]] = [
    ("hosted_max_tlp", "AMBER", "RED", "AMBER", "GREEN"),
    ("local_backend", "ollama", "vllm", "ollama", "auto"),
    ("require_tlp", "true", False, True, False),
    ("fallbacks", "gemini, not-here", ("openai",), ("gemini", "not-here"), ()),
    ("on_refusal", "local", "fail", "local", "fail"),
]


@pytest.mark.parametrize("row", POLICY, ids=lambda row: row[0])
def test_policy_has_the_same_precedence(
    row: tuple[str, str, object, object, object], tmp_path: Path
) -> None:
    """A policy set at runtime wins, even where it loosens."""
    field, env, chosen, from_env, default = row
    boot = settings(tmp_path, **{f"LLM_{field.upper()}": env})
    runtime: dict[str, Any] = {field: chosen}
    unset = snapshot(settings(tmp_path)).policy
    assert getattr(unset, field) == Sourced(default, "default")
    assert getattr(snapshot(boot).policy, field) == Sourced(from_env, "env")
    policy = snapshot(boot, StoredConfig(**runtime)).policy
    assert getattr(policy, field) == Sourced(chosen, "runtime")


def test_stored_answer_to_refusals_that_no_version_knows_asks_nobody(tmp_path: Path) -> None:
    """Data goes nowhere because of it."""
    boot = settings(tmp_path, LLM_ON_REFUSAL="local")
    policy = snapshot(boot, StoredConfig(on_refusal="everybody")).policy
    assert policy.on_refusal == Sourced("fail", "runtime")


def test_limits_come_from_the_environment(tmp_path: Path) -> None:
    """Time-out, retries and concurrency hold for every call."""
    boot = settings(tmp_path, LLM_TIMEOUT="5", LLM_MAX_RETRIES="3", LLM_MAX_CONCURRENCY="2")
    limits = snapshot(boot).limits
    assert (limits.timeout, limits.max_retries, limits.max_concurrency) == (5, 3, 2)


def test_missing_model_is_told_in_the_words_of_the_design(tmp_path: Path) -> None:
    """The exact sentence: admins find it in the documentation."""
    (problem, _) = _config(tmp_path, LLM_DEEPSEEK_MODEL="").problems
    assert problem == Problem(
        "no_model_configured",
        "No model configured for deepseek. Set the specialist model in Settings or the "
        "LLM_DEEPSEEK_MODEL env var before testing.",
    )


@pytest.mark.parametrize(
    ("provider", "variable"),
    [
        ("anthropic", "LLM_ANTHROPIC_MODEL"),
        ("gemini", "LLM_GEMINI_MODEL"),
        ("ollama", "LLM_OLLAMA_MODEL"),
        ("openai", "LLM_OPENAI_COMPATIBLE_MODEL"),
        ("vllm", "LLM_VLLM_MODEL"),
    ],
)
def test_missing_model_names_the_providers_own_variable(
    provider: str, variable: str, tmp_path: Path
) -> None:
    """The catalog knows it."""
    config = _config(tmp_path, None, None, ServingBackend(provider), **{variable: ""})
    assert config.problems[0].detail == (
        f"No model configured for {provider}. Set the specialist model in Settings or the "
        f"{variable} env var before testing."
    )


def test_model_set_at_runtime_replaces_an_empty_variable(tmp_path: Path) -> None:
    """The empty variable is a boot default like any other."""
    config = _config(tmp_path, _chosen(model="m"), LLM_DEEPSEEK_MODEL="")
    assert "no_model_configured" not in _codes(config)


ORCHESTRATORS: Final = [
    ({}, {}, Sourced("deepseek-v4-pro", "default")),
    ({"model": "m"}, {}, Sourced("m", "runtime")),
    ({}, {"LLM_DEEPSEEK_MODEL": "m"}, Sourced("m", "env")),
    ({"orchestrator_model": "o"}, {"LLM_DEEPSEEK_MODEL": "m"}, Sourced("o", "runtime")),
    ({"model": "m"}, {"LLM_DEEPSEEK_ORCHESTRATOR_MODEL": "o"}, Sourced("o", "env")),
    ({"model": "m"}, {"LLM_DEEPSEEK_ORCHESTRATOR_MODEL": ""}, Sourced("m", "runtime")),
    (
        {},
        {"LLM_DEEPSEEK_ORCHESTRATOR_MODEL": ""},
        Sourced("deepseek-v4-flash", "default"),
    ),
    ({}, {"LLM_DEEPSEEK_MODEL": ""}, Sourced(None, "env")),
]


@pytest.mark.parametrize(("chosen", "variables", "expected"), ORCHESTRATORS)
def test_orchestrator_falls_back_to_the_model(
    chosen: dict[str, str],
    variables: dict[str, str],
    expected: Sourced[str | None],
    tmp_path: Path,
) -> None:
    """The catalog's own orchestrator goes with the catalog's own model only."""
    assert _config(tmp_path, _chosen(**chosen), **variables).orchestrator_model == expected


def test_environments_key_belongs_to_the_boot_origin(tmp_path: Path) -> None:
    """It serves there, with whatever path."""
    variables = {"LLM_DEEPSEEK_API_KEY": API_KEY, "LLM_DEEPSEEK_BASE_URL": GATEWAY}
    config = _config(tmp_path, **variables)
    assert (config.ready, _key(config), config.credential.origin) == (True, API_KEY, GATEWAY_ORIGIN)
    elsewhere = _config(tmp_path, _chosen(base_url="https://gw.example/beta"), **variables)
    assert (elsewhere.ready, _key(elsewhere)) == (True, API_KEY)


@pytest.mark.parametrize(
    "base_url",
    [
        "https://evil.example",
        "http://api.deepseek.com",
        "https://api.deepseek.com:8443",
        "https://api.deepseek.com.evil.example",
    ],
)
@pytest.mark.parametrize("kept", ["env", "database"])
def test_key_is_not_in_force_at_another_origin(
    base_url: str, kept: Literal["env", "database"], tmp_path: Path
) -> None:
    """Another scheme, host or port: the key isn't in the snapshot, and the reason is."""
    variables = {"LLM_DEEPSEEK_API_KEY": API_KEY} if kept == "env" else {}
    stored = {DEEPSEEK: stored_key(origin=HOME)} if kept == "database" else None
    config = _config(tmp_path, _chosen(base_url=base_url), stored, **variables)
    assert (config.credential.state, _key(config)) == ("needs_reentry", None)
    assert (config.credential.source, config.credential.last4) == (kept, API_KEY[-4:])
    assert _codes(config) == ["origin_changed"]
    assert HOME in config.problems[0].detail


def test_stored_key_serves_at_the_origin_it_was_entered_for(tmp_path: Path) -> None:
    """A gateway's key at the gateway."""
    stored = {DEEPSEEK: stored_key(origin=GATEWAY_ORIGIN)}
    config = _config(tmp_path, _chosen(base_url=GATEWAY), stored)
    assert (config.ready, _key(config), config.credential.source) == (True, API_KEY, "database")


def test_stored_key_does_not_follow_a_changed_environment(tmp_path: Path) -> None:
    """A restart with another boot base URL takes the key nowhere."""
    stored = {DEEPSEEK: stored_key(origin=HOME)}
    config = _config(tmp_path, None, stored, LLM_DEEPSEEK_BASE_URL=GATEWAY)
    assert (_codes(config), _key(config)) == (["origin_changed"], None)


def test_stored_key_wins_over_the_environments(tmp_path: Path) -> None:
    """And says where it is kept."""
    stored = {DEEPSEEK: stored_key(OTHER_API_KEY, origin=HOME)}
    config = _config(tmp_path, None, stored, LLM_DEEPSEEK_API_KEY=API_KEY)
    assert (_key(config), config.credential.source) == (OTHER_API_KEY, "database")


@pytest.mark.parametrize("stored", [UNREADABLE, stored_key(OTHER_API_KEY, origin=GATEWAY_ORIGIN)])
def test_stored_key_that_does_not_serve_never_uncovers_the_environments(
    stored: Credential, tmp_path: Path
) -> None:
    """Unreadable, or entered for another origin: the provider is not ready, and says why."""
    config = _config(tmp_path, None, {DEEPSEEK: stored}, LLM_DEEPSEEK_API_KEY=API_KEY)
    assert (config.ready, _key(config), config.credential.state) == (False, None, "needs_reentry")


def test_vllm_with_an_unreadable_stored_key_is_not_ready(tmp_path: Path) -> None:
    """Its key is optional; one that was set and is lost is not the same as none."""
    config = _config(tmp_path, None, {VLLM: replace(UNREADABLE, origin=None)}, VLLM)
    assert _codes(config) == ["seed_changed"]
    assert _config(tmp_path, None, None, VLLM).ready


def test_ollama_takes_no_key(tmp_path: Path) -> None:
    """Whatever stands in the table."""
    stored = {OLLAMA: stored_key(origin="http://localhost:11434")}
    config = _config(tmp_path, None, stored, OLLAMA)
    assert (config.ready, config.credential.state) == (True, "absent")


def test_gemini_has_an_origin_and_no_base_url(tmp_path: Path) -> None:
    """A base URL that stands in the table is not used."""
    config = _config(tmp_path, _chosen(GEMINI, base_url="https://evil.example"), None, GEMINI)
    assert config.base_url == Sourced(None, "default")
    assert config.origin == "https://generativelanguage.googleapis.com:443"


@pytest.mark.parametrize("provider", [OLLAMA, VLLM])
def test_local_backend_without_address_is_not_ready(
    provider: ServingBackend, tmp_path: Path
) -> None:
    """Set empty means none, and the variable is named."""
    variable = CATALOG[provider].variable("base_url")
    config = _config(tmp_path, None, None, provider, **{variable: ""})
    assert (_codes(config), config.origin) == (["base_url_missing"], None)
    assert variable in config.problems[0].detail


def test_hosted_provider_without_address_goes_to_its_vendor(tmp_path: Path) -> None:
    """Set empty means: none of one's own."""
    config = _config(tmp_path, LLM_DEEPSEEK_BASE_URL="")
    assert config.base_url == Sourced("https://api.deepseek.com", "env")


def test_missing_key_names_the_variable(tmp_path: Path) -> None:
    """Where a key is required."""
    config = _config(tmp_path)
    assert _codes(config) == ["key_missing"]
    assert "LLM_DEEPSEEK_API_KEY" in config.problems[0].detail


def test_ambient_variable_makes_its_provider_not_ready(tmp_path: Path) -> None:
    """It is named, and the others are not touched by it."""
    overrides = {VLLM: ("OPENAI_ORGANIZATION", "OPENAI_API_HEADERS")}
    providers = snapshot(settings(tmp_path), overrides=overrides).connections
    assert _codes(providers[VLLM]) == ["ambient_override"]
    assert "OPENAI_ORGANIZATION, OPENAI_API_HEADERS" in providers[VLLM].problems[0].detail
    assert providers[OLLAMA].ready


@pytest.mark.parametrize(
    "options",
    [
        CallOptions(headers={"authorization": "Bearer 1"}),
        CallOptions(headers={"x-team": "sk-0123456789abcdef"}),
        CallOptions(timeout=1e9),
    ],
)
def test_stored_options_that_no_admin_can_set_make_a_connection_not_ready(
    options: CallOptions, tmp_path: Path
) -> None:
    """And nothing of them is in force: the database's running role may write rows."""
    config = _config(tmp_path, _chosen(options=options), LLM_DEEPSEEK_API_KEY=API_KEY)
    assert _codes(config) == ["options_invalid"]
    assert config.options == NO_OPTIONS


def test_all_problems_are_listed_at_once(tmp_path: Path) -> None:
    """Nobody repairs one to find the next."""
    overrides = {DEEPSEEK: ("DEEPSEEK_API_HEADERS",)}
    config = snapshot(settings(tmp_path, LLM_DEEPSEEK_MODEL=""), overrides=overrides)
    assert _codes(config.connections[DEEPSEEK]) == [
        "no_model_configured",
        "key_missing",
        "ambient_override",
    ]


# --- the fingerprint -------------------------------------------------------------------------


def _print(folder: Path, runtime: StoredConfig | None = None, /, **variables: str) -> str:
    return snapshot(settings(folder, **variables), runtime).fingerprint


def test_equal_configurations_have_equal_fingerprints(tmp_path: Path) -> None:
    """Two processes that run the same agree, at whatever revision and from whatever source."""
    key = {"LLM_DEEPSEEK_API_KEY": API_KEY}
    assert _print(tmp_path, **key) == _print(tmp_path, StoredConfig(revision=9), **key)
    by_env = _print(tmp_path, LLM_DEEPSEEK_MODEL="m", LLM_DEEPSEEK_ORCHESTRATOR_MODEL="o")
    by_choice = _print(tmp_path, _chosen(model="m", orchestrator_model="o"))
    assert by_env == by_choice


def _with_fallbacks(names: tuple[str, ...] | None) -> Assignments:
    return Assignments({"specialist": Assignment("vllm", None, names)})


DIFFERENT: Final[list[tuple[StoredConfig | None, dict[str, str]]]] = [
    (None, {}),
    (None, {"LLM_DEEPSEEK_API_KEY": API_KEY}),
    (None, {"LLM_DEEPSEEK_API_KEY": OTHER_API_KEY}),
    (None, {"LLM_OPENAI_COMPATIBLE_API_KEY": API_KEY}),
    (None, {"LLM_BACKEND": "auto"}),
    (None, {"LLM_HOSTED_MAX_TLP": "RED"}),
    (None, {"LLM_LOCAL_BACKEND": "ollama"}),
    (None, {"LLM_REQUIRE_TLP": "true"}),
    (None, {"LLM_FALLBACKS": "openai,gemini"}),
    (None, {"LLM_FALLBACKS": "gemini,openai"}),
    (None, {"LLM_ON_REFUSAL": "local"}),
    (StoredConfig(assignments=_with_fallbacks(None)), {}),
    (StoredConfig(assignments=_with_fallbacks(())), {}),
    (_chosen(model="m"), {}),
    (_chosen(orchestrator_model="m"), {}),
    (_chosen(base_url=GATEWAY), {}),
    (_chosen(base_url="https://gw.example/v2"), {}),
    (_chosen(VLLM, model="m"), {}),
]


def test_different_configurations_have_different_fingerprints(tmp_path: Path) -> None:
    """Keys, models, addresses, policy and the choice: all that is in force."""
    prints = [_print(tmp_path, runtime, **variables) for runtime, variables in DIFFERENT]
    assert len(set(prints)) == len(DIFFERENT)


def test_unreadable_key_gives_another_fingerprint(tmp_path: Path) -> None:
    """An agent process without the seed shows as diverged."""
    boot = settings(tmp_path)
    usable, lost = {DEEPSEEK: stored_key(origin=HOME)}, {DEEPSEEK: UNREADABLE}
    prints = {snapshot(boot, None, stored).fingerprint for stored in (usable, lost, None)}
    assert len(prints) == 3


def test_fingerprint_can_be_shown(tmp_path: Path) -> None:
    """16 hex characters, of which no key can be tried without the seed."""
    fingerprint = _print(tmp_path, LLM_DEEPSEEK_API_KEY=API_KEY)
    assert len(fingerprint) == 16
    assert set(fingerprint) <= set("0123456789abcdef")
    assert keyring().digest(API_KEY.encode()) != keyring(OTHER_SEED).digest(API_KEY.encode())


# --- the snapshot as a value -----------------------------------------------------------------


def test_printed_snapshot_shows_no_key(tmp_path: Path) -> None:
    """Neither the environment's nor a stored one."""
    stored = {DEEPSEEK: stored_key(origin=HOME)}
    current = snapshot(settings(tmp_path, LLM_GEMINI_API_KEY=OTHER_API_KEY), None, stored)
    assert _key(current.connections[DEEPSEEK]) == API_KEY
    assert _key(current.connections[GEMINI]) == OTHER_API_KEY
    for key in (API_KEY, OTHER_API_KEY):
        assert key not in repr(current)


def test_composition_is_pure(tmp_path: Path) -> None:
    """The same inputs give an equal snapshot, and are left as they were."""
    boot, runtime = settings(tmp_path, LLM_DEEPSEEK_API_KEY=API_KEY), _chosen(model="m")
    stored = {DEEPSEEK: stored_key(OTHER_API_KEY, origin=HOME)}
    assert snapshot(boot, runtime, stored) == snapshot(boot, runtime, stored)
    assert boot == settings(tmp_path, LLM_DEEPSEEK_API_KEY=API_KEY)
    assert runtime == _chosen(model="m")


def test_snapshot_cannot_be_patched(tmp_path: Path) -> None:
    """It is swapped as a whole."""
    current = snapshot(settings(tmp_path))
    with pytest.raises(FrozenInstanceError):
        current.revision = 7  # type: ignore[misc]  # that is the point
    with pytest.raises(TypeError):
        current.connections[DEEPSEEK] = current.connections[VLLM]  # type: ignore[index]  # the same


def test_every_provider_is_in_every_snapshot(tmp_path: Path) -> None:
    """Configured or not."""
    assert snapshot(settings(tmp_path)).connections.keys() == set(ServingBackend)


ORIGINS: Final = ["http://127.0.0.1:1", "http://127.0.0.1:2", "https://api.deepseek.com"]
URLS: Final = st.none() | st.sampled_from(ORIGINS)


def _no_key_is_elsewhere(current: Snapshot) -> bool:
    return all(
        config.credential.api_key is None or config.credential.origin == config.origin
        for config in current.connections.values()
    )


@given(env_url=URLS, chosen_url=URLS, stored_for=URLS, env_key=st.booleans())
def test_no_key_in_a_snapshot_belongs_to_another_origin(
    env_url: str | None, chosen_url: str | None, stored_for: str | None, *, env_key: bool
) -> None:
    """Whatever the environment, the choice and the store say."""
    variables = {"LLM_DEEPSEEK_API_KEY": API_KEY} if env_key else {}
    variables |= {"LLM_DEEPSEEK_BASE_URL": env_url} if env_url else {}
    runtime = _chosen(base_url=chosen_url) if chosen_url else None
    origin = f"{stored_for}:443" if stored_for == ORIGINS[2] else stored_for
    stored = {DEEPSEEK: stored_key(OTHER_API_KEY, origin=origin)} if origin else None
    assert _no_key_is_elsewhere(snapshot(settings(Path("/nowhere"), **variables), runtime, stored))


# --- the boot ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "provider", [p for p, s in CATALOG.items() if s.base_url_support != "none"]
)
def test_base_url_with_two_readings_stops_the_boot(
    provider: ServingBackend, tmp_path: Path
) -> None:
    """One sentence that names the variable and never repeats the value."""
    variable = CATALOG[provider].variable("base_url")
    boot = settings(tmp_path, **{variable: f"https://user:{CANARY}@gw.example/"})
    with pytest.raises(ConfigurationError, match=f"^{variable} ") as refusal:
        check_boot_defaults(boot)
    assert CANARY not in "".join(traceback.format_exception(refusal.value))


def test_plain_boot_defaults_pass(tmp_path: Path) -> None:
    """Set, unset and set empty."""
    check_boot_defaults(settings(tmp_path, LLM_VLLM_BASE_URL="", LLM_DEEPSEEK_BASE_URL=GATEWAY))


@pytest.mark.parametrize("provider", list(ServingBackend))
def test_boot_origin_is_the_origin_without_runtime_choices(
    provider: ServingBackend, tmp_path: Path
) -> None:
    """Where a key from the environment belongs."""
    boot = settings(tmp_path)
    expected = snapshot(boot).connections[provider].origin
    alone = declared(boot, provider, ConnectionChoice())
    assert alone is not None
    assert alone.boot_origin == expected
