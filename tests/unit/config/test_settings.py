"""Settings: every variable of the design is read, and a wrong one is named, never repeated."""

import traceback
from collections.abc import Callable
from ipaddress import ip_network
from pathlib import Path
from typing import Final

import pytest
from pydantic import AliasChoices, SecretStr
from pydantic_settings import BaseSettings

from aurorasoc.config.settings import SECRETS_FILE, Settings, load_settings
from aurorasoc.config.settings.database import DatabaseSettings
from aurorasoc.config.settings.llm import LLMSettings, connection_settings_classes
from aurorasoc.config.settings.security import SecuritySettings
from aurorasoc.config.settings.server import ServerSettings
from aurorasoc.config.settings.vault import VaultSettings
from aurorasoc.config.vocabulary import ServingBackend, Tlp
from aurorasoc.errors import ConfigurationError
from tests.examples import JWT_SECRET, OTHER_SEED, SEED, settings

CANARY: Final = "CANARY-9d41f7"

Getter = Callable[[Settings], object]


def _revealed(value: object) -> object:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, tuple):
        return tuple(_revealed(item) for item in value)
    return value


VARIABLES: Final[dict[str, tuple[str, Getter, object]]] = {
    "AURORA_ALLOWED_HOSTS": (
        "Gateway.Lan, other",
        lambda s: s.server.allowed_hosts,
        ("gateway.lan", "other"),
    ),
    "AURORA_DATABASE_URL": (
        "postgresql://u:p@db/x",
        lambda s: s.database_url,
        "postgresql://u:p@db/x",
    ),
    "AURORA_FEED_DATABASE_URL": (
        "postgresql://u:p@direct/x",
        lambda s: s.database.feed_url,
        "postgresql://u:p@direct/x",
    ),
    "AURORA_HOST": ("0.0.0.0", lambda s: s.server.host, "0.0.0.0"),  # noqa: S104 - only read
    "AURORA_A2A_AUTH": ("token", lambda s: s.server.a2a_auth, "token"),
    "AURORA_LOG": ("short", lambda s: s.server.log_form.short, True),
    "AURORA_USAGE_DAYS": ("30", lambda s: s.server.usage_days, 30),
    "AURORA_PORT": ("9090", lambda s: s.server.port, 9090),
    "AURORA_PUBLIC_HOSTS": (
        "SOC.example, aurora:08443,https://[FD00::1]:8443,fd00::1,http://a.",
        lambda s: s.server.public_hosts,
        ("soc.example", "aurora:8443", "https://[fd00::1]:8443", "fd00::1", "http://a"),
    ),
    "AURORA_SECRET_KEY": (SEED, lambda s: s.security.secret_key, SEED),
    "AURORA_SECRET_KEY_PREVIOUS": (
        f" {SEED} ,{OTHER_SEED},",
        lambda s: s.security.secret_key_previous,
        (SEED, OTHER_SEED),
    ),
    "AURORA_STATE_DIR": ("/srv/aurora", lambda s: s.server.state_dir, Path("/srv/aurora")),
    "AURORA_WORKERS": ("3", lambda s: s.server.workers, 3),
    "JWT_AUDIENCE": ("soc", lambda s: s.security.jwt_audience, "soc"),
    "JWT_ISSUER": ("idp", lambda s: s.security.jwt_issuer, "idp"),
    "JWT_MAX_LIFETIME": ("3600", lambda s: s.security.jwt_max_lifetime, 3600),
    "JWT_SECRET_KEY": (SEED, lambda s: s.security.jwt_secret_key, SEED),
    "LLM_BACKEND": ("gemini", lambda s: s.llm.backend, ServingBackend.GEMINI),
    "LLM_FALLBACKS": ("EU-azure, ollama,", lambda s: s.llm.fallbacks, ("eu-azure", "ollama")),
    "LLM_HOSTED_MAX_TLP": ("AMBER+STRICT", lambda s: s.llm.hosted_max_tlp, Tlp.AMBER_STRICT),
    "LLM_KEY_MAX_AGE": ("7776000", lambda s: s.llm.key_max_age, 7_776_000.0),
    "LLM_LOCAL_BACKEND": ("ollama", lambda s: s.llm.local_backend, "ollama"),
    "LLM_LOCAL_NETWORKS": (
        "10.1.0.0/16, fd00::/8",
        lambda s: s.llm.local_networks,
        (ip_network("10.1.0.0/16"), ip_network("fd00::/8")),
    ),
    "LLM_MAX_CONCURRENCY": ("4", lambda s: s.llm.max_concurrency, 4),
    "LLM_FIRST_TOKEN_TIMEOUT": ("7.5", lambda s: s.llm.first_token_timeout, 7.5),
    "LLM_MAX_RETRIES": ("0", lambda s: s.llm.max_retries, 0),
    "LLM_ON_REFUSAL": ("local", lambda s: s.llm.on_refusal, "local"),
    "LLM_REQUIRE_TLP": ("true", lambda s: s.llm.require_tlp, True),
    "LLM_TIMEOUT": ("7.5", lambda s: s.llm.timeout, 7.5),
    "NO_COLOR": ("1", lambda s: s.server.log_form.colour, False),
    "VAULT_ADDR": ("https://vault:8200", lambda s: s.vault.addr, "https://vault:8200"),
    "VAULT_CACERT": (__file__, lambda s: s.vault.cacert, Path(__file__)),
    "VAULT_K8S_ROLE": ("aurora", lambda s: s.vault.k8s_role, "aurora"),
    "VAULT_K8S_TOKEN_FILE": ("/run/token", lambda s: s.vault.k8s_token_file, Path("/run/token")),
    "VAULT_KV_MOUNT": ("kv", lambda s: s.vault.kv_mount, "kv"),
    "VAULT_MAX_STALE": ("60", lambda s: s.vault.max_stale, 60.0),
    "VAULT_NAMESPACE": ("soc", lambda s: s.vault.namespace, "soc"),
    "VAULT_POLL_INTERVAL": ("5", lambda s: s.vault.poll_interval, 5.0),
    "VAULT_ROLE_ID": ("role", lambda s: s.vault.role_id, "role"),
    "VAULT_SECRET_ID": ("secret", lambda s: s.vault.secret_id, "secret"),
    "VAULT_TOKEN": ("hvs.token", lambda s: s.vault.token, "hvs.token"),
}

PROVIDER_PREFIXES: Final = {
    ServingBackend.ANTHROPIC: "LLM_ANTHROPIC_",
    ServingBackend.DEEPSEEK: "LLM_DEEPSEEK_",
    ServingBackend.GEMINI: "LLM_GEMINI_",
    ServingBackend.OLLAMA: "LLM_OLLAMA_",
    ServingBackend.OPENAI: "LLM_OPENAI_COMPATIBLE_",
    ServingBackend.VLLM: "LLM_VLLM_",
}
PROVIDER_FIELDS: Final = ("model", "orchestrator_model", "base_url", "api_key")
TAKES_NONE: Final = {"LLM_GEMINI_BASE_URL", "LLM_OLLAMA_API_KEY"}
PROVIDER_VARIABLES: Final = [
    (provider, field, f"{prefix}{field.upper()}")
    for provider, prefix in PROVIDER_PREFIXES.items()
    for field in PROVIDER_FIELDS
]
READABLE: Final = [row for row in PROVIDER_VARIABLES if row[2] not in TAKES_NONE]

ALIASES: Final = [
    ("VLLM_BASE_URL", ServingBackend.VLLM, "base_url"),
    ("VLLM_MODEL", ServingBackend.VLLM, "model"),
    ("VLLM_ORCHESTRATOR_MODEL", ServingBackend.VLLM, "orchestrator_model"),
    ("OLLAMA_BASE_URL", ServingBackend.OLLAMA, "base_url"),
    ("OLLAMA_MODEL", ServingBackend.OLLAMA, "model"),
    ("OLLAMA_ORCHESTRATOR_MODEL", ServingBackend.OLLAMA, "orchestrator_model"),
]

REFUSED: Final = {
    "AURORA_ALLOWED_HOSTS": f"https://{CANARY}",
    "AURORA_PUBLIC_HOSTS": f"good,{CANARY}/settings",
    "AURORA_DATABASE_URL": f"mysql://user:{CANARY}@db/x",
    "AURORA_FEED_DATABASE_URL": f"redis://{CANARY}",
    "AURORA_LOG": CANARY,
    "AURORA_USAGE_DAYS": CANARY,
    "AURORA_PORT": CANARY,
    "AURORA_SECRET_KEY": CANARY,
    "AURORA_SECRET_KEY_PREVIOUS": f"{SEED},{CANARY}",
    "AURORA_WORKERS": CANARY,
    "JWT_SECRET_KEY": CANARY,
    "LLM_BACKEND": CANARY,
    "LLM_FALLBACKS": f"ollama,{CANARY}!",
    "LLM_HOSTED_MAX_TLP": CANARY,
    "LLM_KEY_MAX_AGE": CANARY,
    "LLM_LOCAL_BACKEND": CANARY,
    "LLM_LOCAL_NETWORKS": f"10.0.0.0/8,{CANARY}",
    "LLM_MAX_CONCURRENCY": CANARY,
    "LLM_FIRST_TOKEN_TIMEOUT": CANARY,
    "LLM_MAX_RETRIES": CANARY,
    "LLM_ON_REFUSAL": CANARY,
    "LLM_REQUIRE_TLP": CANARY,
    "LLM_TIMEOUT": CANARY,
    "LLM_ANTHROPIC_API_KEY": f"{CANARY} with spaces",
    "LLM_DEEPSEEK_API_KEY": f"{CANARY}\u00e9",
    "LLM_GEMINI_API_KEY": f"{CANARY}\x1b[31m",
    "LLM_GEMINI_BASE_URL": f"https://{CANARY}",
    "LLM_OLLAMA_API_KEY": CANARY,
    "LLM_OPENAI_COMPATIBLE_API_KEY": f"{CANARY}\r\nX-Injected: 1",
    "LLM_VLLM_API_KEY": f"{CANARY}\ttab",
    "VAULT_ADDR": f"https://user:{CANARY}@vault.test:8200",
    "VAULT_CACERT": f"/etc/{CANARY}.pem",
    "VAULT_KV_MOUNT": f"secret/../{CANARY}",
    "VAULT_MAX_STALE": CANARY,
    "VAULT_NAMESPACE": f"{CANARY}\r\nX-Injected: 1",
    "VAULT_TOKEN": f"{CANARY}\x1b[31m",
    "VAULT_POLL_INTERVAL": CANARY,
}

OUT_OF_RANGE: Final = [
    ("AURORA_DATABASE_URL", "postgresql://u:pass@db:port/x"),
    ("AURORA_DATABASE_URL", "postgresql://u@db:pass/word/x"),
    ("AURORA_DATABASE_URL", "postgresql://u:pass@[::1/x"),
    ("AURORA_FEED_DATABASE_URL", "postgresql://u:pass@db:port/x"),
    ("AURORA_FEED_DATABASE_URL", "sqlite:////var/lib/x.db"),
    ("AURORA_PORT", "65536"),
    ("AURORA_PORT", "-1"),
    ("AURORA_WORKERS", "0"),
    ("LLM_BACKEND", "Open AI"),
    ("LLM_FALLBACKS", "auto"),
    ("LLM_FALLBACKS", "gemini,ollama,gemini"),
    ("LLM_FALLBACKS", "a,b,c,d,e,f,g,h,i"),
    ("LLM_HOSTED_MAX_TLP", "WHITE"),
    ("LLM_KEY_MAX_AGE", "0"),
    ("LLM_KEY_MAX_AGE", "inf"),
    ("LLM_LOCAL_BACKEND", "deepseek"),
    ("LLM_LOCAL_NETWORKS", "10.0.0.1/8"),
    ("LLM_MAX_CONCURRENCY", "0"),
    ("LLM_MAX_RETRIES", "-1"),
    ("LLM_ON_REFUSAL", "Local"),
    ("LLM_ANTHROPIC_MODEL", "x" * 256),
    ("LLM_VLLM_ORCHESTRATOR_MODEL", "x" * 256),
    ("LLM_FIRST_TOKEN_TIMEOUT", "0"),
    ("LLM_TIMEOUT", "0"),
    ("LLM_TIMEOUT", "nan"),
    ("VAULT_ADDR", "vault:8200"),
    ("VAULT_ADDR", "https://"),
    ("VAULT_KV_MOUNT", "/"),
    ("VAULT_KV_MOUNT", "../sys"),
    ("VAULT_MAX_STALE", "0"),
    ("VAULT_POLL_INTERVAL", "-5"),
    ("JWT_SECRET_KEY", "x" * 64),
    ("AURORA_SECRET_KEY", "short-but-varied-0123456789abcd"),
]


def _names(cls: type[BaseSettings]) -> set[str]:
    """Name every variable that a settings class declares, without the older ones."""
    prefix = cls.model_config.get("env_prefix", "")
    names = set()
    for field, info in cls.model_fields.items():
        alias = info.validation_alias
        name = alias.choices[0] if isinstance(alias, AliasChoices) else alias
        names.add(str(name or f"{prefix}{field}".upper()))
    return names


@pytest.mark.parametrize("variable", VARIABLES)
def test_variable_is_read(variable: str, tmp_path: Path) -> None:
    """Each variable of the design arrives in its field."""
    text, field, expected = VARIABLES[variable]
    assert _revealed(field(settings(tmp_path, **{variable: text}))) == expected


@pytest.mark.parametrize(("provider", "field", "variable"), READABLE)
def test_provider_variable_is_read(
    provider: ServingBackend, field: str, variable: str, tmp_path: Path
) -> None:
    """Each provider has a model, an orchestrator model, a key and a base URL of its own."""
    loaded = settings(tmp_path, **{variable: "https://value.example"})
    for other in ServingBackend:
        for name in PROVIDER_FIELDS:
            value = _revealed(getattr(loaded.connections[other], name))
            mine = other == provider and name == field
            assert value == ("https://value.example" if mine else None)


def test_no_variable_is_read_that_the_design_does_not_name() -> None:
    """A new setting needs a row in these tables."""
    rooms: list[type[BaseSettings]] = [LLMSettings, SecuritySettings, DatabaseSettings]
    rooms += [VaultSettings, ServerSettings, *connection_settings_classes().values()]
    declared = {name for room in rooms for name in _names(room)}
    assert declared == {*VARIABLES, *(variable for _, _, variable in PROVIDER_VARIABLES)}


@pytest.mark.parametrize(("alias", "provider", "field"), ALIASES)
def test_older_name_is_accepted(
    alias: str, provider: ServingBackend, field: str, tmp_path: Path
) -> None:
    """What worked before works on."""
    loaded = settings(tmp_path, **{alias: "http://old.example"})
    assert getattr(loaded.connections[provider], field) == "http://old.example"


@pytest.mark.parametrize(("alias", "provider", "field"), ALIASES)
def test_newer_name_wins_over_the_older(
    alias: str, provider: ServingBackend, field: str, tmp_path: Path
) -> None:
    """Where both are set, the present name counts, even when it says "none"."""
    both = {alias: "http://old.example", f"LLM_{alias}": ""}
    assert getattr(settings(tmp_path, **both).connections[provider], field) is None


@pytest.mark.parametrize("text", ["", "  "])
@pytest.mark.parametrize(("provider", "field", "variable"), PROVIDER_VARIABLES)
def test_empty_provider_variable_means_none(
    provider: ServingBackend, field: str, variable: str, text: str, tmp_path: Path
) -> None:
    """Set empty is not unset: the field is present, as None."""
    config = settings(tmp_path, **{variable: text}).connections[provider]
    assert getattr(config, field) is None
    assert field in config.model_fields_set


def test_unset_provider_variable_is_absent(tmp_path: Path) -> None:
    """Without a variable the catalog's default applies."""
    config = settings(tmp_path).connections[ServingBackend.DEEPSEEK]
    assert config.model_fields_set == set()


@pytest.mark.parametrize("variable", sorted(VARIABLES.keys() - {"JWT_SECRET_KEY"}))
def test_empty_variable_leaves_the_default(
    variable: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A variable that a compose file sets empty changes nothing."""
    monkeypatch.setenv("HOME", str(tmp_path))
    field = VARIABLES[variable][1]
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("AURORA_STATE_DIR", raising=False)
        unset = field(load_settings())
        patch.setenv(variable, "")
        assert field(load_settings()) == unset


def test_defaults_are_those_of_the_design(tmp_path: Path) -> None:
    """An empty environment gives vLLM, GREEN and the numbers of the design."""
    loaded = settings(tmp_path)
    assert loaded.llm.backend == ServingBackend.VLLM
    assert loaded.llm.hosted_max_tlp is Tlp.GREEN
    assert (loaded.llm.local_backend, loaded.llm.require_tlp) == ("auto", False)
    assert (loaded.llm.timeout, loaded.llm.max_retries, loaded.llm.max_concurrency) == (60, 1, None)
    assert (loaded.server.host, loaded.server.port, loaded.server.workers) == ("127.0.0.1", 8080, 1)
    assert loaded.vault.kv_mount == "secret"
    assert (loaded.vault.max_stale, loaded.vault.poll_interval) == (86_400, 30)
    assert loaded.database_url == f"sqlite:///{tmp_path}/aurorasoc.db"


@pytest.mark.parametrize("scheme", ["postgresql", "postgresql+psycopg", "postgres"])
@pytest.mark.parametrize("variable", ["AURORA_DATABASE_URL", "AURORA_FEED_DATABASE_URL"])
def test_each_usual_spelling_of_a_postgresql_url_is_understood(
    variable: str, scheme: str, tmp_path: Path
) -> None:
    """Hosts of databases and other programs on SQLAlchemy hand out all three."""
    loaded = settings(tmp_path, **{variable: f"{scheme}://u:p%40@db/x?sslmode=require"})
    assert VARIABLES[variable][1](loaded) == "postgresql://u:p%40@db/x?sslmode=require"


def test_default_local_networks_are_loopback_and_private_ones(tmp_path: Path) -> None:
    """Loopback, RFC 1918 and fc00::/7; link-local and shared address space are not local."""
    networks = settings(tmp_path).llm.local_networks
    assert {str(network) for network in networks} == {
        "127.0.0.0/8",
        "::1/128",
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "fc00::/7",
    }


@pytest.mark.parametrize(
    "network", ["169.254.0.0/16", "fe80::/10", "fe80::1", "::ffff:10.0.0.0/104", "224.0.0.0/4"]
)
def test_a_network_that_never_counts_as_local_is_refused(network: str, tmp_path: Path) -> None:
    """An entry that can't work is an error of whoever wrote it."""
    with pytest.raises(ConfigurationError, match=r"^LLM_LOCAL_NETWORKS .* can be reached"):
        settings(tmp_path, LLM_LOCAL_NETWORKS=f"10.0.0.0/8,{network}")


@pytest.mark.parametrize("variable", REFUSED)
def test_refusal_names_the_variable_and_never_the_value(variable: str, tmp_path: Path) -> None:
    """One sentence; the value is in neither message, arguments, causes nor traceback."""
    with pytest.raises(ConfigurationError) as refusal:
        settings(tmp_path, **{variable: REFUSED[variable]})
    error = refusal.value
    assert error.detail.startswith(f"{variable} can't be used as it is set; expected: ")
    shown = "".join(traceback.format_exception(error)) + repr(error) + repr(error.args)
    assert CANARY not in shown
    assert error.__cause__ is None
    assert error.__context__ is None


def test_a_refusal_says_what_is_accepted_and_nothing_of_the_parser(tmp_path: Path) -> None:
    """The rule alone tells what to set."""
    with pytest.raises(ConfigurationError, match=r"expected: a valid number\.$"):
        settings(tmp_path, LLM_TIMEOUT="soon")


@pytest.mark.parametrize(("variable", "text"), OUT_OF_RANGE)
def test_value_out_of_range_is_refused(variable: str, text: str, tmp_path: Path) -> None:
    """A wrong value stops the boot and names its variable."""
    with pytest.raises(ConfigurationError, match=f"^{variable} "):
        settings(tmp_path, **{variable: text})


def test_a_backend_in_capitals_is_the_one_that_is_meant(tmp_path: Path) -> None:
    """Vendors write their names so."""
    llm = settings(tmp_path, LLM_BACKEND="OpenAI", LLM_LOCAL_BACKEND="vLLM").llm
    assert (llm.backend, llm.local_backend) == ("openai", "vllm")


@pytest.mark.parametrize("text", ["team/secret", "/team/secret/", "..team/se-c.ret"])
def test_kv_mount_is_a_plain_path(text: str, tmp_path: Path) -> None:
    """Without dot segments, which would lead elsewhere; slashes around it don't matter."""
    assert settings(tmp_path, VAULT_KV_MOUNT=text).vault.kv_mount == text.strip("/")


def test_vault_token_may_end_with_its_files_line_end(tmp_path: Path) -> None:
    """As `cat` of a mounted file gives it."""
    token = settings(tmp_path, VAULT_TOKEN="hvs.x\n").vault.token
    assert token is not None
    assert token.get_secret_value() == "hvs.x"


def test_refused_choice_lists_what_is_accepted(tmp_path: Path) -> None:
    """The sentence says which values would do."""
    with pytest.raises(ConfigurationError) as refusal:
        settings(tmp_path, LLM_BACKEND="llama")
    for accepted in ("ollama", "vllm", "openai", "deepseek", "gemini", "anthropic", "auto"):
        assert f"'{accepted}'" in refusal.value.detail


def test_printed_settings_show_no_secret(tmp_path: Path) -> None:
    """Neither keys, seeds, Vault credentials nor database addresses are in the repr."""
    secrets = {
        "AURORA_DATABASE_URL": "postgresql://u:{}@db/x",
        "AURORA_FEED_DATABASE_URL": "postgresql://u:{}@db/x",
        "AURORA_SECRET_KEY": "{}-0123456789-abcdefghij",
        "AURORA_SECRET_KEY_PREVIOUS": "{}-9876543210-abcdefghij",
        "JWT_SECRET_KEY": "{}-5432109876-abcdefghij",
        "VAULT_SECRET_ID": "{}",
        "VAULT_TOKEN": "{}",
        **{v: "{}" for _, f, v in READABLE if f == "api_key"},
    }
    loaded = settings(tmp_path, **{name: text.format(CANARY) for name, text in secrets.items()})
    assert CANARY not in repr(loaded)
    assert CANARY not in str(loaded)


def _with_secrets_file(folder: Path, *lines: str) -> None:
    (folder / SECRETS_FILE).write_text("\n".join(lines) + "\n")


def test_secrets_file_is_read_where_the_environment_is_silent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every command but `serve` finds what `dev` made."""
    monkeypatch.setenv("AURORA_STATE_DIR", str(tmp_path))
    _with_secrets_file(tmp_path, f"JWT_SECRET_KEY={JWT_SECRET}", "LLM_DEEPSEEK_API_KEY=sk-file")
    loaded = load_settings()
    assert _revealed(loaded.security.jwt_secret_key) == JWT_SECRET
    assert _revealed(loaded.connections[ServingBackend.DEEPSEEK].api_key) == "sk-file"


def test_secrets_file_is_the_lowest_source(tmp_path: Path) -> None:
    """The environment wins, even where it says "none"."""
    _with_secrets_file(
        tmp_path, f"AURORA_SECRET_KEY={SEED}", f"JWT_SECRET_KEY={SEED}", "LLM_DEEPSEEK_API_KEY=sk"
    )
    loaded = settings(tmp_path, AURORA_SECRET_KEY=OTHER_SEED, LLM_DEEPSEEK_API_KEY="")
    assert _revealed(loaded.security.secret_key) == OTHER_SEED
    assert _revealed(loaded.security.jwt_secret_key) == JWT_SECRET
    assert loaded.connections[ServingBackend.DEEPSEEK].api_key is None


def test_secrets_file_is_not_read_for_serve(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`serve` takes its secrets from the environment alone."""
    monkeypatch.setenv("AURORA_STATE_DIR", str(tmp_path))
    _with_secrets_file(tmp_path, f"JWT_SECRET_KEY={JWT_SECRET}")
    assert load_settings(secrets_file=False).security.jwt_secret_key is None


def test_refused_value_of_the_secrets_file_is_not_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file's values are as secret as the environment's."""
    monkeypatch.setenv("AURORA_STATE_DIR", str(tmp_path))
    _with_secrets_file(tmp_path, f"JWT_SECRET_KEY={CANARY}")
    with pytest.raises(ConfigurationError, match=r"^JWT_SECRET_KEY ") as refusal:
        load_settings()
    assert CANARY not in "".join(traceback.format_exception(refusal.value))


def test_seed_seals_before_previous_seeds_and_session_secret(tmp_path: Path) -> None:
    """Sealing uses the first; opening tries all, in this order."""
    previous = "seed-three-52d9e0b6c17f83a4-of-the-unit-tests"
    loaded = settings(
        tmp_path, AURORA_SECRET_KEY=SEED, AURORA_SECRET_KEY_PREVIOUS=f"{OTHER_SEED},{previous}"
    )
    assert _revealed(loaded.security.seeds) == (SEED, OTHER_SEED, previous, JWT_SECRET)


def test_session_secret_seals_where_there_is_no_seed(tmp_path: Path) -> None:
    """Without `AURORA_SECRET_KEY` the session secret is the seed."""
    assert _revealed(settings(tmp_path).security.seeds) == (JWT_SECRET,)


def test_state_folder_may_lie_in_the_home_folder(tmp_path: Path) -> None:
    """`~` is expanded, as in the default."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(tmp_path))
        assert settings(Path("~/soc")).server.state_dir == tmp_path / "soc"


def test_settings_are_equal_for_equal_environments(tmp_path: Path) -> None:
    """A second runtime is shared only while the settings are the same."""
    one, two = settings(tmp_path, LLM_TIMEOUT="9"), settings(tmp_path, LLM_TIMEOUT="9")
    assert one == two
    assert one != settings(tmp_path, LLM_TIMEOUT="8")
