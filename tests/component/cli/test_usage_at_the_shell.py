"""`aurorasoc usage`: what was used, as a table, JSON or CSV."""

import csv
from pathlib import Path
from typing import Final

import pytest

from aurorasoc.core.database.engine import Database
from aurorasoc.llm.usage.book import HOUR_US, UsageBook
from aurorasoc.llm.usage.writer import UsageWriter
from tests.component.cli.conftest import Shell
from tests.component.llm.test_usage_of_a_fleet import ANSWERED

TIMES: Final = ("--from", "2027-01-15", "--to", "2027-01-15")
"""The day of the record."""


@pytest.fixture
async def counted(database_file: Path) -> None:
    """Write two calls, of which a vendor counted one."""
    database, book = Database(f"sqlite:///{database_file}"), UsageBook()
    for usage, cost in ((ANSWERED.usage, 11), (None, None)):
        fields = {name: getattr(ANSWERED, name) for name in ANSWERED.__slots__}
        book.note(type(ANSWERED)(**{**fields, "usage": usage, "micro_dollars": cost}))
    await UsageWriter(database, book, 400, lambda: ANSWERED.at_us - HOUR_US).write()
    await database.close()


@pytest.mark.usefixtures("counted")
def test_a_partial_sum_says_what_it_lacks(shell: Shell) -> None:
    """In JSON and CSV alike."""
    [row] = shell("usage", *TIMES, "--by", "agent", "--json").json["rows"]
    assert (row["key"], row["calls"], row["uncounted"], row["unpriced"]) == ("triage", 2, 1, 1)
    assert (row["prompt_tokens"], row["cost"]) == (7, pytest.approx(11e-6))
    [line] = csv.DictReader(shell("usage", *TIMES, "--by", "agent", "--csv").out.splitlines())
    assert {name: str(value or 0) for name, value in row.items()} == {
        name: value or "0" for name, value in line.items()
    }


@pytest.mark.usefixtures("counted")
def test_a_table_has_a_line_for_each_bucket_and_key(shell: Shell) -> None:
    """By days and connections, if nothing else is asked for."""
    header, line = shell("usage", *TIMES).out.splitlines()
    assert header.split()[:3] == ["FROM", "KEY", "CALLS"]
    assert line.split()[:4] == ["2027-01-15", "00:00", "openai", "2"]


@pytest.mark.parametrize("options", [("--csv", "--json"), ("--from", "x"), ("--by", "subject")])
def test_what_cannot_be_printed_is_wrong_usage(shell: Shell, options: tuple[str, ...]) -> None:
    """Nothing is printed as if it were right."""
    assert shell("usage", *options).code == 2


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--from", "yesterday"), "--from must be a date or a time"),
        (("--from", "2900-01-01"), "--from must be earlier than --to"),
    ],
)
def test_a_wrong_time_is_refused_by_its_option(
    shell: Shell, options: tuple[str, ...], words: str
) -> None:
    """REST calls it otherwise."""
    assert f"aurorasoc: {words}" in shell("usage", *options).err
