"""Rows of spending and of usage that others wrote, or removed: calls, limits and sums go on."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import pytest
from beeai_framework.backend.message import UserMessage

from aurorasoc import get_chat_model
from aurorasoc.core.clock import now_us
from aurorasoc.errors import BudgetExceeded
from aurorasoc.llm.budgets.periods import span_at
from aurorasoc.llm.changes.budget_edits import BudgetsRequest, set_budgets
from aurorasoc.llm.usage.book import HOUR_US
from aurorasoc.llm.usage.report import lines_between
from aurorasoc.runtime import Runtime
from tests.component.in_line import InLine, line, opened, servers
from tests.world.databases import ON_BOTH, Stored

__all__ = ["line", "servers"]

pytestmark = ON_BOTH

SCOPE: Final = "connection:first"
MOST: Final = 2**63 - 1


@pytest.fixture
async def runtime(tmp_path: Path, stored: Stored, line: InLine) -> AsyncIterator[Runtime]:
    """Open a runtime on both kinds of database."""
    async with opened(tmp_path, line, AURORA_DATABASE_URL=stored.url) as runtime:
        yield runtime


async def limit(runtime: Runtime, *, tokens: int = 100_000, hard: bool = True) -> None:
    """Put one limit in force, for a day."""
    body = {"limits": [{"scope": SCOPE, "per": "day", "tokens": tokens, "hard": hard}]}
    await runtime.admin.change(set_budgets(BudgetsRequest.model_validate(body)), actor="alice")


async def ask() -> None:
    """Ask the first connection."""
    async with asyncio.timeout(60):
        await get_chat_model(tlp="GREEN").run([UserMessage("Benign?")], max_tokens=50)


def insert(table: str, *values: object) -> str:
    """Write an INSERT of one row."""
    return f"INSERT INTO {table} VALUES ({', '.join(map(repr, values))})"  # noqa: S608 - our own values


async def spent(runtime: Runtime) -> int:
    """Return the tokens that count as spent."""
    [view] = (await runtime.admin.budgets()).limits
    return view.spent.tokens or 0


@pytest.mark.parametrize("hard", [True, False])
async def test_calls_go_on_after_somebody_removed_what_was_spent(
    runtime: Runtime, line: InLine, stored: Stored, *, hard: bool
) -> None:
    """Such as a restored database; it is counted from there."""
    await limit(runtime, hard=hard)
    await ask()
    assert await spent(runtime)
    await stored.executed("DELETE FROM llm_spending")
    assert await spent(runtime) == 0
    await ask()
    assert await spent(runtime)
    assert line.asked == {"first": 2}


async def test_a_sum_that_a_column_can_hold_no_more_of_is_a_limit_used_up(
    runtime: Runtime, line: InLine, stored: Stored
) -> None:
    """It refuses, and stops neither another limit's calls nor what is settled with it."""
    await limit(runtime)
    await ask()
    await runtime.admin.budgets()
    await stored.executed("UPDATE llm_spending SET spent_tokens = 9223372036854775807")
    with pytest.raises(BudgetExceeded):
        await ask()
    await limit(runtime, hard=False)
    await ask()
    await runtime.admin.budgets()
    await stored.executed("UPDATE llm_spending SET spent_tokens = 0")
    await limit(runtime)
    await ask()
    assert line.asked == {"first": 3}


async def test_less_than_nothing_spent_gives_no_more_room_than_the_limit(
    runtime: Runtime, line: InLine, stored: Stored
) -> None:
    """Nor does a reservation that is larger than what is reserved, once it expires."""
    await limit(runtime, tokens=60)
    day = span_at("day", now_us()).name
    await stored.executed(
        f"UPDATE llm_spending SET spent_tokens = {-MOST}, reserved_tokens = {-MOST}"  # noqa: S608 - our own values
    )
    await stored.executed(insert("llm_reservations", "junk", SCOPE, day, MOST, -MOST, 1))
    for _ in range(2):
        with pytest.raises(BudgetExceeded):
            await ask()
    assert line.asked == {}


async def test_usage_with_any_numbers_is_still_reported(runtime: Runtime, stored: Stored) -> None:
    """Sums of whole numbers beyond a column's, or below zero."""
    hour = now_us() // HOUR_US * HOUR_US
    # Whoever writes to SQLite's file may write to all of it.
    number = -5 if runtime.database.is_sqlite else MOST
    for key in ("a", "b"):
        names = ("c", "m", "a", "", "", "")
        await stored.executed(insert("llm_usage", hour, key, *names, *[number] * 19))
    [row] = await lines_between(runtime.database, hour, hour + 1, "connection", "hour")
    assert row.calls == 2 * number
