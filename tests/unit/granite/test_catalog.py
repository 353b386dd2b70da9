"""The catalog: one row a provider, and the references that come of it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pytest
from pydantic import SecretStr

from aurorasoc.config.settings.llm import connection_settings_classes
from aurorasoc.config.snapshot import Snapshot
from aurorasoc.errors import (
    ConfigurationError,
    NoModelConfigured,
    ProviderNotReady,
    UnknownProvider,
)
from aurorasoc.granite import ModelReference, ServingBackend
from aurorasoc.granite.backend_resolution import connection_named, model_reference, require_ready
from aurorasoc.granite.base_url import normalise_base_url, origin_of
from aurorasoc.granite.catalog import CATALOG
from tests.examples import API_KEY, settings, snapshot

REFERENCES: Final = {
    ServingBackend.ANTHROPIC: "anthropic:claude-sonnet-4-6",
    ServingBackend.DEEPSEEK: "deepseek:deepseek-v4-flash",
    ServingBackend.GEMINI: "gemini:gemini-2.5-pro",
    ServingBackend.OLLAMA: "ollama:granite4:8b",
    ServingBackend.OPENAI: "openai:gpt-4o",
    ServingBackend.VLLM: "openai:granite-soc-specialist",
}
ORCHESTRATORS: Final = {
    **REFERENCES,
    ServingBackend.DEEPSEEK: "deepseek:deepseek-v4-pro",
    ServingBackend.OLLAMA: "ollama:granite4:dense",
}
BASE_URLS: Final = {
    ServingBackend.ANTHROPIC: "https://api.anthropic.com",
    ServingBackend.DEEPSEEK: "https://api.deepseek.com",
    ServingBackend.GEMINI: None,
    ServingBackend.OLLAMA: "http://localhost:11434",
    ServingBackend.OPENAI: "https://api.openai.com/v1",
    ServingBackend.VLLM: "http://localhost:8000/v1",
}
ORIGINS: Final = {
    ServingBackend.ANTHROPIC: "https://api.anthropic.com:443",
    ServingBackend.DEEPSEEK: "https://api.deepseek.com:443",
    ServingBackend.GEMINI: "https://generativelanguage.googleapis.com:443",
    ServingBackend.OLLAMA: "http://localhost:11434",
    ServingBackend.OPENAI: "https://api.openai.com:443",
    ServingBackend.VLLM: "http://localhost:8000",
}
FIELDS: Final = ("model", "orchestrator_model", "base_url", "api_key")


def _keys() -> Mapping[str, str]:
    return {spec.variable("api_key"): API_KEY for spec in CATALOG.values() if spec.needs_key}


def _ready(folder: Path, **variables: str) -> Snapshot:
    return snapshot(settings(folder, **_keys(), **variables))


def test_every_backend_has_a_row_and_a_settings_class() -> None:
    """A new provider is one row and one class; here is who forgot one."""
    assert CATALOG.keys() == connection_settings_classes().keys() == set(ServingBackend)


@pytest.mark.parametrize("provider", list(ServingBackend))
def test_row_stands_under_its_own_name(provider: ServingBackend) -> None:
    """The table's key and the row agree."""
    assert CATALOG[provider].provider is provider


@pytest.mark.parametrize("provider", list(ServingBackend))
@pytest.mark.parametrize("field", FIELDS)
def test_catalog_names_the_variable_that_settings_read(
    provider: ServingBackend, field: str, tmp_path: Path
) -> None:
    """What an error message tells to set is what is read; or says that it takes none."""
    spec = CATALOG[provider]
    takes_none = (field == "api_key" and spec.key == "none") or (
        field == "base_url" and spec.base_url_support == "none"
    )
    variable, text = spec.variable(field), "https://value.example"
    if takes_none:
        with pytest.raises(ConfigurationError, match=f"^{variable} .* takes no "):
            settings(tmp_path, **{variable: text})
        return
    value = getattr(settings(tmp_path, **{variable: text}).connections[provider], field)
    assert (value.get_secret_value() if isinstance(value, SecretStr) else value) == text


@pytest.mark.parametrize("provider", list(ServingBackend))
def test_default_base_url_is_normal(provider: ServingBackend) -> None:
    """The catalog's own addresses pass the rules that others' must."""
    spec = CATALOG[provider]
    assert origin_of(spec.default_base_url) == ORIGINS[provider]
    if spec.base_url_support != "none":
        assert normalise_base_url(spec, spec.default_base_url) == spec.default_base_url


@pytest.mark.parametrize(("provider", "native"), REFERENCES.items())
def test_specialist_reference_is_native(
    provider: ServingBackend, native: str, tmp_path: Path
) -> None:
    """The defaults of the design, in the adapter's own form."""
    assert str(model_reference(_ready(tmp_path), provider, "specialist")) == native


@pytest.mark.parametrize(("provider", "native"), ORCHESTRATORS.items())
def test_orchestrator_reference_is_native(
    provider: ServingBackend, native: str, tmp_path: Path
) -> None:
    """Two providers have an orchestrator of their own; for others the specialist serves."""
    assert str(model_reference(_ready(tmp_path), provider, "orchestrator")) == native


@pytest.mark.parametrize("provider", list(ServingBackend))
def test_reference_leaves_nothing_to_defaults(provider: ServingBackend, tmp_path: Path) -> None:
    """Address, origin, key and limits are all explicit."""
    boot = _ready(tmp_path, LLM_TIMEOUT="9", LLM_MAX_RETRIES="0")
    reference = model_reference(boot, provider, "specialist")
    key = API_KEY if CATALOG[provider].needs_key else "not-needed"
    assert reference == ModelReference(
        connection=provider.value,
        provider=provider,
        prefix=REFERENCES[provider].split(":")[0],
        model=REFERENCES[provider].split(":", 1)[1],
        base_url=BASE_URLS[provider],
        origin=ORIGINS[provider],
        api_key=SecretStr(key),
        limits=boot.limits,
        key_source="env" if CATALOG[provider].needs_key else None,
        key_tag=boot.connections[provider].credential.tag,
    )


def test_reference_shows_no_key(tmp_path: Path) -> None:
    """It may be logged."""
    reference = model_reference(_ready(tmp_path), ServingBackend.OPENAI, "specialist")
    assert API_KEY not in f"{reference} {reference!r}"


@pytest.mark.parametrize("provider", [p for p, s in CATALOG.items() if s.needs_key])
def test_missing_key_is_refused_by_the_variable(provider: ServingBackend, tmp_path: Path) -> None:
    """No key is ever replaced by an empty one: adapters would take an ambient one."""
    with pytest.raises(ProviderNotReady, match=CATALOG[provider].variable("api_key")):
        model_reference(snapshot(settings(tmp_path)), provider, "specialist")


@pytest.mark.parametrize("provider", list(ServingBackend))
def test_missing_model_is_refused_by_the_variable(provider: ServingBackend, tmp_path: Path) -> None:
    """The missing model is told even where a key is missing too."""
    boot = settings(tmp_path, **{CATALOG[provider].variable("model"): ""})
    with pytest.raises(NoModelConfigured, match=CATALOG[provider].variable("model")):
        model_reference(snapshot(boot), provider, "specialist")


def test_refusal_holds_every_problem(tmp_path: Path) -> None:
    """Who repairs one thing need not come back for the next."""
    overrides = {ServingBackend.OPENAI: ("OPENAI_ORGANIZATION",)}
    config = snapshot(settings(tmp_path), overrides=overrides).connections[ServingBackend.OPENAI]
    with pytest.raises(ProviderNotReady) as refusal:
        require_ready(config)
    assert "LLM_OPENAI_COMPATIBLE_API_KEY" in refusal.value.detail
    assert "OPENAI_ORGANIZATION" in refusal.value.detail


@pytest.mark.parametrize("provider", list(ServingBackend))
def test_connection_is_found_by_its_name(provider: ServingBackend, tmp_path: Path) -> None:
    """As it stands in a URL."""
    assert connection_named(snapshot(settings(tmp_path)), provider.value).provider is provider


@pytest.mark.parametrize("name", ["", "auto", "OpenAI", "openai_compatible", "azure", "../key"])
def test_unknown_connection_is_refused_without_repeating_it(name: str, tmp_path: Path) -> None:
    """The answer lists who is known."""
    with pytest.raises(UnknownProvider) as refusal:
        connection_named(snapshot(settings(tmp_path)), name)
    assert "deepseek" in refusal.value.detail
    assert not name or f"{name!r}" not in refusal.value.detail


def test_only_ollama_and_vllm_may_be_local() -> None:
    """A hosted provider is never local, wherever it is said to be."""
    local = {provider for provider, spec in CATALOG.items() if spec.may_be_local}
    assert local == {ServingBackend.OLLAMA, ServingBackend.VLLM}
