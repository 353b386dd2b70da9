"""What the presets of a new connection say, and that each vendor's own examples lead there."""

import re
from typing import Final

import pytest

from aurorasoc.granite.base_url import normalise_base_url
from aurorasoc.granite.catalog import CATALOG
from aurorasoc.granite.known_addresses import KNOWN_ADDRESSES, KnownAddress

CONNECTION: Final = re.compile(r"[a-z][a-z0-9-]{0,31}")
LOCAL: Final = {"lm-studio", "llama-cpp"}

every_row = pytest.mark.parametrize("row", KNOWN_ADDRESSES, ids=[r.name for r in KNOWN_ADDRESSES])


def filled(row: KnownAddress) -> str:
    """Return a row's base URL with something in its placeholders."""
    return row.base_url.format(**dict.fromkeys(row.placeholders, "eu-1"))


@every_row
def test_name_is_one_that_a_connection_may_have(row: KnownAddress) -> None:
    """A preset proposes it; the built-in connections have theirs already."""
    assert CONNECTION.fullmatch(row.name)
    assert row.name not in set(CATALOG)


def test_names_and_labels_are_different() -> None:
    """One row for each service."""
    assert len({row.name for row in KNOWN_ADDRESSES}) == len(KNOWN_ADDRESSES)
    assert len({row.label for row in KNOWN_ADDRESSES}) == len(KNOWN_ADDRESSES)


@every_row
@pytest.mark.parametrize(
    "ending", ["", "/", "/chat/completions", "/chat/completions/", "/models", "/responses"]
)
def test_endpoints_of_the_vendors_examples_mean_its_base_url(
    row: KnownAddress, ending: str
) -> None:
    """Whichever endpoint somebody pastes."""
    assert normalise_base_url(CATALOG[row.provider], filled(row) + ending) == filled(row)


@every_row
def test_bare_host_means_the_base_url(row: KnownAddress) -> None:
    """Groq's, OpenRouter's, Azure's and Bedrock's roots have more than a version."""
    host = filled(row).removesuffix(row.root)
    assert normalise_base_url(CATALOG[row.provider], host) == filled(row)
    assert normalise_base_url(CATALOG[row.provider], f"{host}/") == filled(row)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("https://openrouter.ai/api", "https://openrouter.ai/api/v1"),
        ("https://api.groq.com/openai", "https://api.groq.com/openai/v1"),
        ("https://api.together.xyz/v1", "https://api.together.xyz/v1"),
        ("https://api.together.xyz", "https://api.together.xyz/v1"),
        (
            "https://bedrock-runtime.eu-1.amazonaws.com/v1/chat/completions",
            "https://bedrock-runtime.eu-1.amazonaws.com/v1",
        ),
        (
            "https://bedrock-runtime.eu-1.amazonaws.com/model/openai.gpt-oss-120b-1:0/converse",
            "https://bedrock-runtime.eu-1.amazonaws.com/openai/v1",
        ),
        (
            "https://soc.services.ai.azure.com/api/projects/soc-project",
            "https://soc.services.ai.azure.com/openai/v1",
        ),
        (
            "https://soc.services.ai.azure.com/api/projects/soc-project/openai/v1",
            "https://soc.services.ai.azure.com/openai/v1",
        ),
        ("https://gw.example/api/projects/soc", "https://gw.example/api/projects/soc"),
        ("https://bedrock-mantle.eu-1.api.aws/v1", "https://bedrock-mantle.eu-1.api.aws/v1"),
        ("https://openrouter.ai.example", "https://openrouter.ai.example/v1"),
        ("https://openrouter.ai/other", "https://openrouter.ai/other"),
    ],
)
def test_a_part_of_the_path_is_completed_and_another_path_kept(written: str, meant: str) -> None:
    """At the service's own host alone."""
    assert normalise_base_url(CATALOG[KNOWN_ADDRESSES[0].provider], written) == meant


def test_only_servers_of_ones_own_can_count_as_local() -> None:
    """A proxy or a hosted service at an inner address would pass on what must stay."""
    assert {row.name for row in KNOWN_ADDRESSES if CATALOG[row.provider].may_be_local} == LOCAL


@every_row
def test_what_a_preset_says_is_short(row: KnownAddress) -> None:
    """The page shows it beside a field."""
    assert len(row.peculiar) < 100
    assert row.peculiar.endswith(".")
    assert row.docs.startswith("https://")
    assert bool(row.key_page) == bool(row.hosts)
