"""The page of known addresses says what the table of the product says."""

import re
from pathlib import Path
from typing import Final

import pytest

from aurorasoc.granite.base_url import normalise_base_url
from aurorasoc.granite.catalog import CATALOG
from aurorasoc.granite.known_addresses import KNOWN_ADDRESSES, KnownAddress

PAGE: Final = (Path(__file__).resolve().parents[2] / "docs/providers.md").read_text("utf-8")
ROW: Final = re.compile(r"^\| \[(.+?)\]\(#", re.MULTILINE)
HEADING: Final = re.compile(r"^## (.+)$", re.MULTILINE)

every_row = pytest.mark.parametrize("row", KNOWN_ADDRESSES, ids=[r.name for r in KNOWN_ADDRESSES])


def _section(row: KnownAddress) -> str:
    return PAGE.partition(f"\n## {row.label}\n")[2].partition("\n## ")[0]


def test_page_has_the_rows_of_the_table_and_no_other() -> None:
    """In its order, each with a section."""
    labels = [row.label for row in KNOWN_ADDRESSES]
    assert ROW.findall(PAGE) == labels
    assert HEADING.findall(PAGE)[-len(labels) :] == labels


@every_row
def test_row_of_the_page_is_the_tables(row: KnownAddress) -> None:
    """Provider, base URL, key and an example of a model."""
    cells = f"| `{row.provider}` | `{row.base_url}` | {row.key} | `{row.model}` |"
    assert f"| [{row.label}](#" in PAGE
    assert any(line.endswith(cells) for line in PAGE.splitlines())


@every_row
def test_section_begins_with_what_is_peculiar_and_ends_with_links(row: KnownAddress) -> None:
    """As the settings page shows it."""
    section = _section(row)
    assert section.lstrip().startswith(row.peculiar)
    assert f"[Documentation]({row.docs})." in section
    assert row.key_page is None or f"[Keys]({row.key_page})." in section


@every_row
def test_example_declares_the_connection(row: KnownAddress) -> None:
    """With a base URL that follows the pattern, and is stored as it stands there."""
    prefix = f"LLM_CONNECTION_{row.name.upper().replace('-', '_')}_"
    shown = dict(re.findall(rf"^{prefix}([A-Z_]+)=(\S+)$", _section(row), re.MULTILINE))
    assert (shown["PROVIDER"], shown["MODEL"]) == (row.provider, row.model)
    pattern = re.sub(r"\\\{[a-z]+\\\}", "[a-z0-9.-]+", re.escape(row.base_url))
    assert re.fullmatch(pattern, shown["BASE_URL"])
    assert normalise_base_url(CATALOG[row.provider], shown["BASE_URL"]) == shown["BASE_URL"]
