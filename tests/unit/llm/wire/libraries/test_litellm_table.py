"""LiteLLM's bundled table is read from its file, and damage there stops nothing."""

import json
from pathlib import Path

import pytest

from aurorasoc.granite.known_addresses import KNOWN_ADDRESSES, KnownAddress
from aurorasoc.llm.models.facts import facts_of
from aurorasoc.llm.wire.libraries import litellm_table
from aurorasoc.llm.wire.libraries.litellm_table import (
    most_output_tokens,
    read_table,
    row_of,
    vendors_row,
)
from tests.examples import reference_at

OWN = {"litellm_provider": "openai", "mode": "chat", "tiers": {"batch": [1, {"cost": 2}]}}


def test_rows_of_other_vendors_are_not_kept(tmp_path: Path) -> None:
    """Nine of ten rows would lie in memory for nothing; what is inside of a row stays."""
    file = tmp_path / "table.json"
    others = {"a": {"litellm_provider": "bedrock"}, "b": {"litellm_provider": ["openai"]}, "c": 7}
    file.write_text(json.dumps({"gpt-4o": OWN, **others}))
    assert read_table(file) == {"gpt-4o": OWN}


@pytest.mark.parametrize("text", ["", "[1]", '{"gpt-4o": ', "[" * 100_000, "\xff"])
def test_a_damaged_table_says_nothing(tmp_path: Path, text: str) -> None:
    """Models go on without it."""
    file = tmp_path / "table.json"
    file.write_bytes(text.encode("latin-1"))
    assert read_table(file) == {}


def test_a_missing_table_says_nothing(tmp_path: Path) -> None:
    """Models go on without it."""
    assert read_table(tmp_path / "table.json") == {}


@pytest.mark.parametrize(
    ("provider", "model"),
    [
        ("openai", "gpt-4o"),
        ("anthropic", "claude-sonnet-4-6"),
        ("gemini", "gemini-2.5-pro"),
        ("deepseek", "deepseek-v4-flash"),
    ],
)
def test_the_installed_table_knows_each_vendors_default_model(provider: str, model: str) -> None:
    """By the name that its vendor uses, whatever prefix the table puts before it."""
    assert vendors_row(reference_at(provider, model))["litellm_provider"] == provider


DESCRIBED = [row for row in KNOWN_ADDRESSES if row.table]


@pytest.mark.parametrize("service", DESCRIBED, ids=lambda row: row.name)
def test_the_installed_table_knows_the_model_proposed_for_a_vendor(service: KnownAddress) -> None:
    """At the vendor's own address it has a window and a price, and no end yet."""
    reference = reference_at("openai", service.model, service.base_url)
    facts = facts_of(reference, None)
    assert vendors_row(reference)["litellm_provider"] == service.table
    assert facts.context_window_source == "table"
    assert facts.prices is not None
    assert facts.retires_on is None


@pytest.mark.parametrize(
    ("provider", "model", "base_url"),
    [
        ("openai", "gpt-4o", "https://gateway.example.com/v1"),
        ("openai", "gpt-4o", "http://api.openai.com/v1"),
        ("anthropic", "claude-sonnet-4-6", "https://gateway.example.com"),
        ("vllm", "gpt-4o", None),
        ("ollama", "llama3", None),
        ("openai", "claude-sonnet-4-6", None),
        ("gemini", "gpt-4o", None),
        ("openai", "GPT-4o", None),
        ("openai", "my-gpt-4o", None),
        ("gemini", "gemini/gemini-2.5-pro", None),
        ("openai", "groq/openai/gpt-oss-120b", "https://api.groq.com/openai/v1"),
        ("openai", "openai/gpt-oss-120b", "http://api.groq.com/openai/v1"),
        ("openai", "openai/gpt-oss-120b", "https://api.groq.com.example.com/openai/v1"),
        ("openai", "openai/gpt-oss-120b", "https://openrouter.ai/api/v1"),
        ("openai", "gpt-4o", "https://api.groq.com/openai/v1"),
        ("openai", "gpt-4o", "https://soc-eu.openai.azure.com/openai/v1"),
        ("deepseek", "openai/gpt-oss-120b", "https://api.groq.com/openai/v1"),
        ("vllm", "openai/gpt-oss-120b", "https://api.groq.com/openai/v1"),
    ],
)
def test_a_name_that_is_not_its_vendors_own_has_no_row(
    provider: str, model: str, base_url: str | None
) -> None:
    """A gateway, a local server and another vendor may serve anything under it."""
    assert vendors_row(reference_at(provider, model, base_url)) == {}


@pytest.mark.parametrize("value", [True, 0, -1, 10**400, "64000", 64_000.0, None])
def test_a_longest_answer_that_cannot_be_is_neither_shown_nor_sent(
    monkeypatch: pytest.MonkeyPatch, value: object
) -> None:
    """Whoever reads the field reads it alike."""
    row = {"litellm_provider": "anthropic", "max_output_tokens": value}
    monkeypatch.setattr(litellm_table, "_table", lambda: {"claude-x": row})
    reference = reference_at("anthropic", "claude-x")
    assert facts_of(reference, None).max_output_tokens is None
    assert most_output_tokens(reference) is None


def test_a_limit_to_send_is_known_for_a_vendors_model_behind_a_gateway() -> None:
    """It must be sent; what is shown of a gateway's model is what its server says."""
    reference = reference_at("anthropic", "claude-sonnet-4-6", "https://gateway.example.com")
    limit = most_output_tokens(reference_at("anthropic", "claude-sonnet-4-6"))
    assert most_output_tokens(reference) == limit is not None
    assert facts_of(reference, None).max_output_tokens is None


def test_a_row_belongs_to_one_vendor() -> None:
    """The same name at another says nothing."""
    assert row_of("openai", "gpt-4o")
    assert not row_of("deepseek", "gpt-4o")
