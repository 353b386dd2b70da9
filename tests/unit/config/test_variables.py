"""What files, shells and orchestrators wrap around a value isn't part of it."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from aurorasoc.config.settings import SECRETS_FILE, Settings, load_settings
from aurorasoc.config.vocabulary import ServingBackend
from aurorasoc.errors import ConfigurationError
from tests.examples import SEED, settings

READ: Final[dict[str, tuple[str, Callable[[Settings], object], object]]] = {
    "AURORA_DATABASE_URL": (
        "postgresql://u:p@db/x",
        lambda s: s.database_url,
        "postgresql://u:p@db/x",
    ),
    "AURORA_PORT": ("9090", lambda s: s.server.port, 9090),
    "AURORA_PUBLIC_HOSTS": ("a,b", lambda s: s.server.public_hosts, ("a", "b")),
    "AURORA_SECRET_KEY_PREVIOUS": (
        SEED,
        lambda s: [seed.get_secret_value() for seed in s.security.secret_key_previous],
        [SEED],
    ),
    "AURORA_STATE_DIR": ("/srv/aurora", lambda s: s.server.state_dir, Path("/srv/aurora")),
    "JWT_AUDIENCE": ("soc", lambda s: s.security.jwt_audience, "soc"),
    "LLM_BACKEND": ("gemini", lambda s: s.llm.backend, ServingBackend.GEMINI),
    "LLM_DEEPSEEK_API_KEY": ("sk-1", lambda s: _key(s, ServingBackend.DEEPSEEK), "sk-1"),
    "LLM_DEEPSEEK_MODEL": ("m", lambda s: s.connections[ServingBackend.DEEPSEEK].model, "m"),
    "LLM_REQUIRE_TLP": ("true", lambda s: s.llm.require_tlp, True),
    "VAULT_ADDR": ("http://vault", lambda s: s.vault.addr, "http://vault"),
    "VAULT_TOKEN": ("hvs.x", lambda s: s.vault.token and s.vault.token.get_secret_value(), "hvs.x"),
    "VLLM_MODEL": ("m", lambda s: s.connections[ServingBackend.VLLM].model, "m"),
}


def _key(loaded: Settings, provider: ServingBackend) -> str | None:
    key = loaded.connections[provider].api_key
    return None if key is None else key.get_secret_value()


@pytest.mark.parametrize("variable", READ)
@pytest.mark.parametrize("wrapping", ["{}\n", "{}\r\n", "{}\r", " {} "])
def test_blanks_and_line_ends_are_no_part_of_a_value(
    variable: str, wrapping: str, tmp_path: Path
) -> None:
    """Secrets made from a file end with its line end; Windows' files have another one."""
    text, read, value = READ[variable]
    assert read(settings(tmp_path, **{variable: wrapping.format(text)})) == value


@pytest.mark.parametrize("variable", READ.keys() - {"AURORA_SECRET_KEY_PREVIOUS"})
@pytest.mark.parametrize("wrapping", ['"{}"', "'{}'", '"{}"\r', "\ufeff{}\r\n", '\ufeff"{}"'])
def test_quotes_and_a_byte_order_mark_are_no_part_of_a_value(
    variable: str, wrapping: str, tmp_path: Path
) -> None:
    """`docker run --env-file` keeps quotes; PowerShell and Notepad write the mark."""
    text, read, value = READ[variable]
    assert read(settings(tmp_path, **{variable: wrapping.format(text)})) == value


@pytest.mark.parametrize("nothing", ["\r", '""', "''", " \n", "\ufeff"])
def test_a_value_of_wrapping_alone_is_empty(nothing: str, tmp_path: Path) -> None:
    """So a provider has no model, and any other variable is unset."""
    loaded = settings(tmp_path, LLM_DEEPSEEK_MODEL=nothing, AURORA_PORT=nothing)
    assert loaded.connections[ServingBackend.DEEPSEEK].model is None
    assert "model" in loaded.connections[ServingBackend.DEEPSEEK].model_fields_set
    assert loaded.server.port == 8080


@pytest.mark.parametrize("variable", ["JWT_SECRET_KEY", "AURORA_SECRET_KEY"])
def test_quotes_around_a_seed_belong_to_it(variable: str, tmp_path: Path) -> None:
    """What is sealed under it, and what signs with it elsewhere, knows it so."""
    security = settings(tmp_path, **{variable: f'"{SEED}"'}).security
    assert f'"{SEED}"' in [seed.get_secret_value() for seed in security.seeds]


@pytest.mark.parametrize("variable", ["JWT_SECRET_KEY", "AURORA_SECRET_KEY"])
def test_a_line_end_after_a_seed_is_refused(variable: str, tmp_path: Path) -> None:
    """Nobody knows whether who signs has it, too."""
    with pytest.raises(ConfigurationError, match="line end"):
        settings(tmp_path, **{variable: f"{SEED}\n"})


def test_a_byte_order_mark_hides_no_variable_of_the_secrets_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first name in the file is read without it."""
    monkeypatch.setenv("AURORA_STATE_DIR", str(tmp_path))
    (tmp_path / SECRETS_FILE).write_text(f"JWT_SECRET_KEY={SEED}\r\n", encoding="utf-8-sig")
    secret = load_settings().security.jwt_secret_key
    assert secret is not None
    assert secret.get_secret_value() == SEED


def test_a_secrets_file_in_another_encoding_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PowerShell's redirection writes UTF-16."""
    monkeypatch.setenv("AURORA_STATE_DIR", str(tmp_path))
    (tmp_path / SECRETS_FILE).write_text(f"JWT_SECRET_KEY={SEED}\n", encoding="utf-16")
    with pytest.raises(ConfigurationError, match=r"secrets\.env .* UTF-8") as refusal:
        load_settings()
    assert refusal.value.__context__ is None
