"""`LLM_CONNECTION_<NAME>_…`: named connections are declared, configured, or refused by name."""

from pathlib import Path
from typing import Final

import pytest
from pydantic import SecretStr

from aurorasoc.config.settings import LOCAL_MODEL_FILE, SECRETS_FILE, load_settings
from aurorasoc.config.settings.connections import NamedConnectionSettings
from aurorasoc.config.vocabulary import BUILT_IN, ServingBackend, Tlp
from aurorasoc.errors import ConfigurationError
from tests.examples import settings

CANARY: Final = "CANARY-9d41f7"
KEY: Final = "sk-eu-azure-0123456789"


def named(state_dir: Path, /, **variables: str) -> dict[str, NamedConnectionSettings]:
    """Return the connections that an environment declares beside the built-in ones."""
    connections = settings(state_dir, **variables).connections
    return {
        name: one for name, one in connections.items() if isinstance(one, NamedConnectionSettings)
    }


def refusal(state_dir: Path, /, **variables: str) -> str:
    """Return the sentence that stops a boot."""
    with pytest.raises(ConfigurationError) as caught:
        settings(state_dir, **variables)
    return caught.value.detail


# --- declared ----------------------------------------------------------------------------------


def test_every_field_is_read(tmp_path: Path) -> None:
    """All six variables of one connection."""
    declared = named(
        tmp_path,
        LLM_CONNECTION_EU_AZURE_PROVIDER="openai",
        LLM_CONNECTION_EU_AZURE_BASE_URL="https://soc.openai.azure.com/openai/v1",
        LLM_CONNECTION_EU_AZURE_MODEL="gpt-5-soc",
        LLM_CONNECTION_EU_AZURE_ORCHESTRATOR_MODEL="gpt-5-soc-large",
        LLM_CONNECTION_EU_AZURE_API_KEY=KEY,
        LLM_CONNECTION_EU_AZURE_MAX_TLP="AMBER+STRICT",
    )
    one = declared["eu-azure"]
    assert (one.provider, one.max_tlp) == (ServingBackend.OPENAI, Tlp.AMBER_STRICT)
    assert (one.base_url, one.api_key) == (
        "https://soc.openai.azure.com/openai/v1",
        SecretStr(KEY),
    )
    assert (one.model, one.orchestrator_model) == ("gpt-5-soc", "gpt-5-soc-large")


@pytest.mark.parametrize("file", [SECRETS_FILE, LOCAL_MODEL_FILE])
def test_files_of_the_state_folder_declare_and_configure(file: str, tmp_path: Path) -> None:
    """A connection may be declared in one place and get its key in the other."""
    (tmp_path / file).write_text(
        f"LLM_CONNECTION_LAB_PROVIDER=vllm\nLLM_CONNECTION_LAB_API_KEY='{KEY}'\n", "utf-8"
    )
    one = named(tmp_path, LLM_CONNECTION_LAB_BASE_URL="http://10.0.0.7:8000")["lab"]
    assert (one.api_key, one.base_url) == (SecretStr(KEY), "http://10.0.0.7:8000")


def test_serve_reads_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has all from its environment; a file that others wrote declares nothing there."""
    (tmp_path / SECRETS_FILE).write_text("LLM_CONNECTION_LAB_PROVIDER=vllm\n", "utf-8")
    monkeypatch.setenv("AURORA_STATE_DIR", str(tmp_path))
    assert set(load_settings(secrets_file=False).connections) == set(BUILT_IN)


def test_the_environment_counts_before_a_file(tmp_path: Path) -> None:
    """A connection that a file declares is taken away by an empty variable."""
    (tmp_path / SECRETS_FILE).write_text("LLM_CONNECTION_LAB_PROVIDER=vllm\n", "utf-8")
    assert set(named(tmp_path)) == {"lab"}
    assert named(tmp_path, LLM_CONNECTION_LAB_PROVIDER="") == {}


def test_case_of_a_variable_does_not_matter(tmp_path: Path) -> None:
    """Windows knows one case only, and Compose files are written in either."""
    one = named(tmp_path, llm_connection_Lab_provider="vllm", Llm_Connection_LAB_Model="m")["lab"]
    assert (one.provider, one.model) == (ServingBackend.VLLM, "m")


def test_empty_variables_declare_and_configure_nothing(tmp_path: Path) -> None:
    """As `${LLM_CONNECTION_LAB_PROVIDER:-}` in a Compose file leaves them."""
    empty = {
        f"LLM_CONNECTION_LAB_{field}": wrapped
        for field, wrapped in zip(
            ("PROVIDER", "BASE_URL", "MODEL", "API_KEY", "MAX_TLP"),
            ("", " ", '""', "''", ""),
            strict=True,
        )
    }
    assert named(tmp_path, **empty) == {}


def test_empty_fields_of_a_declared_connection_are_none(tmp_path: Path) -> None:
    """Present all the same: a named connection has no default to fall back to."""
    fields = ("BASE_URL", "MODEL", "ORCHESTRATOR_MODEL", "API_KEY", "MAX_TLP")
    empty = {f"LLM_CONNECTION_LAB_{field}": "" for field in fields}
    one = named(tmp_path, LLM_CONNECTION_LAB_PROVIDER="vllm", **empty)["lab"]
    values = (one.base_url, one.model, one.orchestrator_model, one.api_key, one.max_tlp)
    assert set(values) == {None}


# --- refused -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*BUILT_IN, "auto", "1st", "-lab", "a" * 33, "a.b", "é"])
def test_name_that_is_taken_or_impossible_is_refused(name: str, tmp_path: Path) -> None:
    """The sentence names the variable and what a name may be."""
    variable = f"LLM_CONNECTION_{name.upper().replace('-', '_')}_PROVIDER"
    detail = refusal(tmp_path, **{variable: "vllm"})
    assert detail.startswith(f"{variable} can't be used as it is set; expected: a name of letters")


def test_longest_name_is_taken(tmp_path: Path) -> None:
    """It has 32 characters, as the database's column does."""
    name = "a" * 32
    assert set(named(tmp_path, **{f"LLM_CONNECTION_{name.upper()}_PROVIDER": "vllm"})) == {name}


@pytest.mark.parametrize("value", [CANARY, "open-ai", "auto", "eu-azure"])
def test_unknown_kind_is_refused_with_the_six(value: str, tmp_path: Path) -> None:
    """The value isn't repeated."""
    detail = refusal(tmp_path, LLM_CONNECTION_LAB_PROVIDER=value)
    assert detail.startswith("LLM_CONNECTION_LAB_PROVIDER can't be used as it is set; expected: ")
    assert all(repr(kind) in detail for kind in BUILT_IN)
    assert value not in detail.replace("'openai'", "").split("expected")[1]


@pytest.mark.parametrize(
    "variable",
    [
        "LLM_CONNECTION_LAB_API_KEY",
        "LLM_CONNECTION_LAB_MODEL",
        "LLM_CONNECTION_LABX_BASE_URL",
        "LLM_CONNECTION_LAB_KEY",
        "LLM_CONNECTION_LAB",
        "LLM_CONNECTION__API_KEY",
        "LLM_CONNECTION_",
    ],
)
def test_variable_that_configures_what_nothing_declares_stops_the_boot(
    variable: str, tmp_path: Path
) -> None:
    """A key would be silently unused, or a name misspelt."""
    detail = refusal(tmp_path, **{variable: CANARY, "LLM_CONNECTION_LABS_PROVIDER": "vllm"})
    assert detail.startswith(f"{variable} configures no connection: LLM_CONNECTION_<NAME>_PROVIDER")
    assert CANARY not in detail


@pytest.mark.parametrize(
    ("kind", "field", "value", "says"),
    [
        ("ollama", "API_KEY", CANARY, "ollama takes none"),
        ("gemini", "BASE_URL", f"https://{CANARY}.example", "gemini takes none"),
        ("openai", "API_KEY", f"{CANARY} with blanks", "a key of printable ASCII"),
        ("openai", "MAX_TLP", f"{CANARY}", "'NONE'"),
        ("openai", "MODEL", CANARY * 30, "255"),
    ],
)
def test_value_that_cant_be_met_is_refused_and_not_repeated(
    kind: str, field: str, value: str, says: str, tmp_path: Path
) -> None:
    """The sentence says what is expected."""
    variables = {"LLM_CONNECTION_LAB_PROVIDER": kind, f"LLM_CONNECTION_LAB_{field}": value}
    detail = refusal(tmp_path, **variables)
    assert detail.startswith("LLM_CONNECTION_LAB_")
    assert (says in detail, CANARY in detail) == (True, False)


# --- whose a variable is -----------------------------------------------------------------------


@pytest.mark.parametrize("in_file", [False, True])
def test_a_variable_configures_one_connection_only(in_file: bool, tmp_path: Path) -> None:  # noqa: FBT001
    """`a` and `a-model`: `LLM_CONNECTION_A_MODEL_…` begins like a variable of `a`."""
    variables = {
        "LLM_CONNECTION_A_PROVIDER": "openai",
        "LLM_CONNECTION_A_API_KEY": "key-of-a",
        "LLM_CONNECTION_A_MODEL": "model-of-a",
        "LLM_CONNECTION_A_MODEL_PROVIDER": "anthropic",
        "LLM_CONNECTION_A_MODEL_API_KEY": "key-of-a-model",
        "LLM_CONNECTION_A_MODEL_MODEL": "model-of-a-model",
        "LLM_CONNECTION_A_PROVIDER_PROVIDER": "deepseek",
    }
    if in_file:
        lines = "".join(f"{name}={value}\n" for name, value in variables.items())
        (tmp_path / SECRETS_FILE).write_text(lines, "utf-8")
        variables = {}
    read = {
        name: (str(one.provider), one.api_key and one.api_key.get_secret_value(), one.model)
        for name, one in named(tmp_path, **variables).items()
    }
    assert read == {
        "a": ("openai", "key-of-a", "model-of-a"),
        "a-model": ("anthropic", "key-of-a-model", "model-of-a-model"),
        "a-provider": ("deepseek", None, None),
    }


def test_variable_that_would_configure_two_connections_is_refused(tmp_path: Path) -> None:
    """`LLM_CONNECTION_A_ORCHESTRATOR_MODEL` is a field of `a`, and another of `a-orchestrator`."""
    both = {
        "LLM_CONNECTION_A_PROVIDER": "openai",
        "LLM_CONNECTION_A_ORCHESTRATOR_PROVIDER": "vllm",
    }
    assert set(named(tmp_path, **both)) == {"a", "a-orchestrator"}
    shared = "LLM_CONNECTION_A_ORCHESTRATOR_MODEL"
    detail = refusal(tmp_path, **both, **{shared: "m"})
    assert detail.startswith(f"{shared} would configure two connections")


def test_a_built_in_connection_reads_no_variable_of_a_named_one(tmp_path: Path) -> None:
    """And the other way round."""
    connections = settings(
        tmp_path,
        LLM_CONNECTION_OPENAI_EU_PROVIDER="openai",
        LLM_CONNECTION_OPENAI_EU_API_KEY=KEY,
        LLM_OPENAI_COMPATIBLE_API_KEY="sk-of-the-built-in-one",
    ).connections
    assert connections["openai-eu"].api_key == SecretStr(KEY)
    assert connections["openai"].api_key == SecretStr("sk-of-the-built-in-one")


# --- chosen ------------------------------------------------------------------------------------

LAB: Final = {"LLM_CONNECTION_LAB_PROVIDER": "vllm", "LLM_CONNECTION_EU_PROVIDER": "openai"}


@pytest.mark.parametrize(("variable", "name"), [("BACKEND", "eu"), ("LOCAL_BACKEND", "lab")])
def test_backends_may_be_named_connections(variable: str, name: str, tmp_path: Path) -> None:
    """The local one's provider must be able to be local."""
    llm = settings(tmp_path, **LAB, **{f"LLM_{variable}": name}).llm
    assert (llm.backend if variable == "BACKEND" else llm.local_backend) == name


@pytest.mark.parametrize(
    ("variable", "name"),
    [("BACKEND", CANARY), ("LOCAL_BACKEND", CANARY), ("LOCAL_BACKEND", "eu")],
)
def test_backend_that_nothing_declares_or_that_cant_be_local_is_refused(
    variable: str, name: str, tmp_path: Path
) -> None:
    """With the names that would do."""
    detail = refusal(tmp_path, **LAB, **{f"LLM_{variable}": name})
    assert detail.startswith(f"LLM_{variable} can't be used as it is set; expected: 'auto', ")
    assert ("'lab'" in detail, CANARY in detail, "'eu'" in detail) == (
        True,
        False,
        variable == "BACKEND",
    )
