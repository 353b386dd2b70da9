"""Budgets: a hard limit holds, a soft one warns once, and what vendors count is what is spent."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
from beeai_framework.backend.message import UserMessage
from beeai_framework.backend.types import ChatModelOutput

from aurorasoc import get_chat_model
from aurorasoc.core.access.acting import Acting, acting_for
from aurorasoc.core.clock import now_us
from aurorasoc.errors import BudgetExceeded, DatabaseUnavailable, ModelCallError
from aurorasoc.llm.budgets.entries import Account, Ceiling, ReservationRequest
from aurorasoc.llm.budgets.periods import span_at
from aurorasoc.llm.budgets.teller import Teller
from aurorasoc.llm.budgets.view import LimitView
from aurorasoc.llm.changes import edits
from aurorasoc.llm.changes.budget_edits import BudgetsRequest, set_budgets
from aurorasoc.llm.changes.client_requests import ClientRequest
from aurorasoc.llm.changes.history import list_revisions
from aurorasoc.llm.changes.plan import Change
from aurorasoc.llm.changes.requests import ConnectionRequest
from aurorasoc.runtime import Runtime
from tests.component.in_line import InLine, line, opened, servers
from tests.examples import config_request
from tests.world.databases import ON_BOTH, Stored
from tests.world.vendor import Fault

__all__ = ["line", "servers"]

pytestmark = ON_BOTH

FIRST = "connection:first"
WHO = Acting("soar", "soar")


@pytest.fixture
async def runtime(tmp_path: Path, stored: Stored, line: InLine) -> AsyncIterator[Runtime]:
    """Open a runtime on both kinds of database."""
    async with opened(tmp_path, line, AURORA_DATABASE_URL=stored.url) as runtime:
        yield runtime


async def limit(runtime: Runtime, scope: str = FIRST, **budget: Any) -> None:
    """Put one limit in force, for a day unless another period is named."""
    body = {"limits": [{"scope": scope, "per": "day", "hard": True, **budget}]}
    change = set_budgets(BudgetsRequest.model_validate(body))
    await runtime.admin.change(change, actor="alice")


async def ask(max_tokens: int | None = 50, *, stream: bool = False) -> ChatModelOutput:
    """Ask something short."""
    model = get_chat_model(tlp="GREEN", agent="triage")
    return await model.run([UserMessage("Benign?")], max_tokens=max_tokens, stream=stream)


async def stands(runtime: Runtime) -> LimitView:
    """Return how the one limit stands."""
    [view] = (await runtime.admin.budgets()).limits
    return view


async def price(runtime: Runtime, **dollars: float) -> None:
    """Set the price of the first connection."""
    body = {"provider": "openai", "options": {"price": dollars}}
    await runtime.admin.put_connection(
        "first", ConnectionRequest.model_validate(body), actor="alice"
    )


async def settled(runtime: Runtime) -> LimitView:
    """Return how the one limit stands once nothing is reserved any more."""
    async with asyncio.timeout(60):
        while (view := await stands(runtime)).reserved.tokens or not view.spent.tokens:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    return view


@pytest.mark.parametrize("stream", [False, True])
async def test_a_call_costs_what_the_vendor_counted(
    runtime: Runtime, line: InLine, *, stream: bool
) -> None:
    """And what it reserved beyond that is released."""
    del line
    await limit(runtime, tokens=100_000)
    output = await ask(stream=stream)
    view = await stands(runtime)
    assert view.spent.tokens == output.usage.total_tokens > 0
    assert (view.reserved.tokens, view.state) == (0, "ok")
    assert view.remaining.tokens == 100_000 - output.usage.total_tokens


async def test_a_call_that_may_exceed_a_hard_limit_is_not_sent(
    runtime: Runtime, line: InLine
) -> None:
    """The refusal says which limit, and when it resets."""
    await limit(runtime, tokens=60)
    with pytest.raises(BudgetExceeded, match=r"connection first, 60 tokens per day") as refused:
        await ask()
    assert refused.value.resets_at == (await stands(runtime)).resets_at
    assert refused.value.retry_after
    assert line.asked == {}


async def test_calls_at_once_reserve_before_they_are_sent(runtime: Runtime, line: InLine) -> None:
    """What is asked at the same moment can't spend the same tokens."""
    await limit(runtime, tokens=1_500)
    results = await asyncio.gather(*(ask() for _ in range(12)), return_exceptions=True)
    refused = sum(isinstance(one, BudgetExceeded) for one in results)
    assert 0 < refused < 12
    assert line.asked == {"first": 12 - refused}
    assert ((await stands(runtime)).spent.tokens or 0) <= 1_500


async def test_a_call_without_a_bound_is_sent_with_one(runtime: Runtime, line: InLine) -> None:
    """It is what is left, at most; a bound of the caller's isn't lowered."""
    await limit(runtime, tokens=2_000)
    await ask(None)
    [request] = [one for one in line.first.requests if one.method == "POST"]
    assert 256 <= request.body["max_tokens"] < 2_000
    with pytest.raises(BudgetExceeded, match="more than the whole budget"):
        await ask(2_000)


@pytest.mark.parametrize(
    ("fault", "spent"),
    [
        (Fault(status=500), False),
        (Fault(status=429), False),
        (Fault(status=504), True),
        (Fault(reset=True), True),
    ],
    ids=["500", "429", "504", "lost"],
)
async def test_a_failure_costs_what_was_reserved_where_the_vendor_may_charge(
    runtime: Runtime, line: InLine, fault: Fault, *, spent: bool
) -> None:
    """Refused before an answer: nothing. Lost after it was sent: all."""
    await limit(runtime, tokens=100_000)
    for server in line.all.values():
        server.faults.set(fault)
    with pytest.raises(ModelCallError):
        await ask()
    view = await stands(runtime)
    assert (bool(view.spent.tokens), view.reserved.tokens) == (spent, 0)


async def test_an_abandoned_stream_costs_what_it_reserved(runtime: Runtime, line: InLine) -> None:
    """Nobody knows what its vendor charges."""
    await limit(runtime, tokens=100_000)
    line.first.faults.set(Fault(event_delay=0.2))
    run = get_chat_model().run([UserMessage("Benign?")], stream=True, max_tokens=50)
    async with aclosing(aiter(run)) as events:
        async for _, event in events:
            if event.name == "new_token":
                break
    assert ((await settled(runtime)).spent.tokens or 0) > 50


async def test_a_soft_limit_refuses_nothing_and_warns_once(runtime: Runtime, line: InLine) -> None:
    """However many calls follow."""
    await limit(runtime, tokens=1, hard=False)
    for _ in range(3):
        await ask()
    assert (await stands(runtime)).state == "warned"
    assert runtime.admin.guard.counts.warned == {(FIRST, "day"): 1}
    assert line.asked == {"first": 3}


@pytest.mark.parametrize("scope", ["agent:triage", "client:soar"])
async def test_agents_and_clients_pay_for_hosted_calls_alone(
    runtime: Runtime, line: InLine, scope: str
) -> None:
    """A local connection answers them, whatever they spent."""
    await runtime.clients.create(ClientRequest(name="soar"), actor="alice")
    await limit(runtime, scope, tokens=60)
    with acting_for(WHO):
        with pytest.raises(BudgetExceeded):
            await ask()
        model = get_chat_model(tlp="RED", agent="triage")
        await model.run([UserMessage("Benign?")], max_tokens=50)
    assert line.asked == {"third": 1}


async def test_a_client_has_the_budget_that_it_was_made_with(
    runtime: Runtime, line: InLine
) -> None:
    """It counts like a limit of the client's scope; others' calls go on."""
    body = {"name": "soar", "budget": {"per": "month", "tokens": 60, "hard": True}}
    await runtime.clients.create(ClientRequest.model_validate(body), actor="alice")
    with acting_for(WHO), pytest.raises(BudgetExceeded, match="client soar, 60 tokens per month"):
        await ask()
    await ask()
    assert line.asked == {"first": 1}
    assert (await stands(runtime)).scope == "client:soar"


async def test_while_the_database_is_away_a_hard_limit_lets_nothing_leave(
    runtime: Runtime, line: InLine, stored: Stored
) -> None:
    """A limit that isn't enforced is none. Calls that it doesn't apply to go on."""
    await limit(runtime, tokens=100_000)
    await stored.executed("ALTER TABLE llm_spending RENAME TO away")
    with pytest.raises(DatabaseUnavailable, match=r"hard budget .* connection first"):
        await ask()
    await get_chat_model(tlp="RED").run([UserMessage("Benign?")])
    await stored.executed("ALTER TABLE away RENAME TO llm_spending")
    assert line.asked == {"third": 1}
    await ask()


@pytest.mark.parametrize("change", [edits.reset(), None], ids=["reset", "rollback"])
async def test_neither_reset_nor_rollback_lifts_a_limit(
    runtime: Runtime, line: InLine, change: Change | None
) -> None:
    """Setting others alone does."""
    del line
    await runtime.admin.switch(config_request("first", model="m-other"), actor="alice")
    await limit(runtime, tokens=60)
    if change is None:
        await runtime.admin.rollback(1, actor="bob")
    else:
        await runtime.admin.change(change, actor="bob")
    assert [one.scope for one in runtime.adoption.snapshot.budgets] == [FIRST]


async def test_history_says_limits_in_words(runtime: Runtime, line: InLine) -> None:
    """With what was in force before."""
    del line
    await limit(runtime, tokens=60)
    await limit(runtime, tokens=1_000_000, money=2.5)
    async with runtime.database.reading() as session:
        page = await list_revisions(session, before=None, limit=10)
    assert [one.summary for one in page.revisions] == [
        ["budgets: connection:first per day, hard: 60 tokens → 1,000,000 tokens and 2.5 USD"],
        ["budgets: connection:first per day, hard: none → 60 tokens"],
    ]


async def test_a_limit_on_money_needs_a_price(runtime: Runtime, line: InLine) -> None:
    """A call whose cost nobody knows is refused, and says what to do."""
    await limit(runtime, money=5)
    with pytest.raises(BudgetExceeded, match="no price is known of m-first"):
        await ask()
    assert line.asked == {}


async def test_money_is_counted_by_the_connections_price(runtime: Runtime, line: InLine) -> None:
    """In micro-dollars, for each token that the vendor counted."""
    await price(runtime, prompt=3.0, completion=15.0)
    await limit(runtime, money=0.01)
    output = await ask()
    usage = output.usage
    cost = 3 * usage.prompt_tokens + 15 * usage.completion_tokens
    assert (await stands(runtime)).spent.money == pytest.approx(cost / 1e6)
    with pytest.raises(BudgetExceeded, match=r"0\.01 USD per day"):
        await ask(1_000)
    assert line.asked == {"first": 1}


async def test_what_a_killed_process_reserved_counts_as_spent(
    runtime: Runtime, line: InLine, stored: Stored
) -> None:
    """Its reservations expire, and are booked by whoever comes next."""
    del line
    await limit(runtime, tokens=100_000)
    teller = Teller(runtime.database, lambda _: None)
    account = Account(FIRST, span_at("day", now_us()).name)
    ceiling = Ceiling(account, 100_000, None)
    await teller.reserve(ReservationRequest("r", 100, 200, 200, None, (ceiling,)))
    await teller.close()
    assert (await stands(runtime)).reserved.tokens == 300
    await stored.executed("UPDATE llm_reservations SET expires_us = 1")
    await ask()
    assert ((await settled(runtime)).spent.tokens or 0) > 300
