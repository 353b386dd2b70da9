"""A limit that comes into force begins at what its period already cost, and warns if that is it."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import pytest
from beeai_framework.backend.message import UserMessage

from aurorasoc import get_chat_model
from aurorasoc.core.access.acting import Acting, acting_for
from aurorasoc.errors import BudgetExceeded, InvalidInput
from aurorasoc.llm.budgets.view import LimitView
from aurorasoc.llm.changes.budget_edits import BudgetsRequest, set_budgets
from aurorasoc.llm.changes.client_requests import ClientRequest
from aurorasoc.llm.changes.requests import ConnectionRequest
from aurorasoc.llm.usage.writer import UsageWriter
from aurorasoc.runtime import Runtime
from tests.component.in_line import InLine, line, opened, servers
from tests.world.databases import ON_BOTH, Stored

__all__ = ["line", "servers"]

pytestmark = ON_BOTH

FIRST: Final = "connection:first"
TOKENS: Final = 10
"""What each vendor counts of a call: seven of the prompt, three of the answer."""


@pytest.fixture
async def runtime(tmp_path: Path, stored: Stored, line: InLine) -> AsyncIterator[Runtime]:
    """Open a runtime on both kinds of database."""
    async with opened(tmp_path, line, AURORA_DATABASE_URL=stored.url) as runtime:
        yield runtime


async def limit(runtime: Runtime, *limits: dict[str, Any]) -> list[LimitView]:
    """Put limits in force, hard ones for a day unless they say otherwise; return how they stand."""
    rows = [{"scope": FIRST, "per": "day", "hard": True, **one} for one in limits]
    change = set_budgets(BudgetsRequest.model_validate({"limits": rows}))
    await runtime.admin.change(change, actor="alice")
    return (await runtime.admin.budgets()).limits


async def ask(runtime: Runtime, tlp: str = "GREEN", client: str | None = None) -> None:
    """Make a call, which usage counts and writes."""
    with acting_for(Acting("somebody", client)):
        await get_chat_model(tlp=tlp, agent="triage").run([UserMessage("?")], max_tokens=50)
    await UsageWriter(runtime.database, runtime.usage, 400).write()


def warned(runtime: Runtime) -> int:
    """Return how often a soft limit was passed."""
    return sum(runtime.admin.guard.counts.warned.values())


@pytest.mark.parametrize("per", ["day", "month"])
@pytest.mark.parametrize("hard", [True, False])
async def test_a_new_limit_begins_at_what_its_period_already_cost(
    runtime: Runtime, per: str, *, hard: bool
) -> None:
    """Of whoever it is for; others' calls don't count."""
    await runtime.clients.create(ClientRequest(name="soar"), actor="alice")
    await ask(runtime)
    await ask(runtime, client="soar")
    scopes = (FIRST, "connection:second", "agent:triage", "agent:other", "client:soar")
    how = {"per": per, "hard": hard, "tokens": 100_000}
    views = await limit(runtime, *({"scope": scope, **how} for scope in scopes))
    spent = {one.scope: one.spent.tokens for one in views}
    assert spent == dict(zip(scopes, (2 * TOKENS, 0, 2 * TOKENS, 0, TOKENS), strict=True))


async def test_what_was_spent_in_money_counts(runtime: Runtime) -> None:
    """By the price that each call had."""
    body = {"provider": "openai", "options": {"price": {"prompt": 3.0, "completion": 15.0}}}
    request = ConnectionRequest.model_validate(body)
    await runtime.admin.put_connection("first", request, actor="alice")
    await ask(runtime)
    [view] = await limit(runtime, {"money": 5})
    assert view.spent.money == pytest.approx((7 * 3 + 3 * 15) / 1e6)


async def test_calls_of_local_connections_count_for_these_alone(runtime: Runtime) -> None:
    """As they do under a limit that is in force."""
    await ask(runtime, tlp="RED")
    views = await limit(
        runtime,
        {"scope": "agent:triage", "tokens": 1_000},
        {"scope": "connection:third", "tokens": 1_000},
    )
    assert [one.spent.tokens for one in views] == [0, TOKENS]


async def test_a_hard_limit_below_what_was_spent_lets_nothing_leave(
    runtime: Runtime, line: InLine
) -> None:
    """From the first call."""
    await ask(runtime)
    [view] = await limit(runtime, {"tokens": 5})
    assert view.state == "exhausted"
    with pytest.raises(BudgetExceeded):
        await ask(runtime)
    assert line.asked == {"first": 1}


async def test_what_was_booked_is_not_lowered_to_what_usage_counts(
    runtime: Runtime, stored: Stored
) -> None:
    """A limit that was removed and set again may have booked calls that nobody counted."""
    await limit(runtime, {"tokens": 1_000})
    await ask(runtime)
    await runtime.admin.budgets()
    await stored.executed("UPDATE llm_spending SET spent_tokens = 500")
    await limit(runtime)
    await ask(runtime)
    [view] = await limit(runtime, {"tokens": 1_000})
    assert view.spent.tokens == 500


async def test_calls_between_two_limits_count_for_the_second(runtime: Runtime) -> None:
    """Nothing was booked meanwhile, but usage knows."""
    await limit(runtime, {"tokens": 1_000})
    await ask(runtime)
    await limit(runtime)
    await ask(runtime)
    [view] = await limit(runtime, {"tokens": 1_000})
    assert view.spent.tokens == 2 * TOKENS


async def test_a_soft_limit_below_what_is_spent_warns_once(runtime: Runtime) -> None:
    """When it is set or lowered, and not with each call or change that follows."""
    await ask(runtime)
    await limit(runtime, {"tokens": 1_000, "hard": False})
    assert warned(runtime) == 0
    await limit(runtime, {"tokens": 5, "hard": False})
    assert warned(runtime) == 1
    await ask(runtime)
    await limit(runtime, {"tokens": 4, "hard": False}, {"tokens": 1_000})
    assert warned(runtime) == 1
    await limit(runtime, {"tokens": 1_000, "hard": False})
    await limit(runtime, {"tokens": 3, "hard": False})
    assert warned(runtime) == 2


async def test_a_change_that_is_refused_warns_of_nothing(runtime: Runtime) -> None:
    """Nor does it open an account."""
    await ask(runtime)
    with pytest.raises(InvalidInput, match="no such client"):
        await limit(
            runtime,
            {"tokens": 5, "hard": False},
            {"scope": "client:nobody", "tokens": 5},
        )
    assert warned(runtime) == 0
    assert (await runtime.admin.budgets()).limits == []
