"""The budgets as they stand: what is spent, what is reserved, and when they begin anew."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from aurorasoc.config.budgets import Limit, Period, usd
from aurorasoc.config.snapshot import Snapshot
from aurorasoc.core.bodies import DEFERRED
from aurorasoc.core.clock import iso, now_us
from aurorasoc.core.database.engine import Database
from aurorasoc.llm.budgets.books import balances_of
from aurorasoc.llm.budgets.entries import Account, Balance, is_passed
from aurorasoc.llm.budgets.limits import limits_of
from aurorasoc.llm.budgets.periods import Span, span_at

BudgetState = Literal["ok", "warned", "exhausted"]
BudgetSource = Literal["set", "client"]


@dataclass(frozen=True, slots=True)
class Amounts:
    """Tokens and USD; null: not limited."""

    tokens: int | None
    money: float | None


@dataclass(frozen=True, slots=True)
class LimitView:
    """A limit, and how it stands.

    Attributes:
        reserved: For calls under way, and for a while for those of a process that was killed.
        remaining: What a call may still reserve.
        state: `warned`: a soft one is used up. `exhausted`: a hard one is.
        source: `client`: its client was made with it, and it ends with the client. Setting budgets
            neither takes nor changes it.
    """

    scope: str
    per: Period
    tokens: int | None
    money: Annotated[float | None, Field(description="USD.")]
    hard: bool
    spent: Amounts
    reserved: Amounts
    remaining: Amounts
    resets_at: str
    state: BudgetState
    source: BudgetSource


@dataclass(frozen=True, slots=True)
class BudgetsView:
    """All limits in force, and how they stand."""

    __pydantic_config__: ClassVar = DEFERRED

    revision: int
    limits: list[LimitView]


async def view_budgets(
    snapshot: Snapshot, database: Database, at_us: int | None = None
) -> BudgetsView:
    """Return all limits, and how they stand.

    Raises:
        DatabaseUnavailable: The database doesn't answer.
    """
    now = now_us() if at_us is None else at_us
    limits = limits_of(snapshot)
    spans = {limit: span_at(limit.budget.per, now) for limit in limits}
    accounts = {Account(limit.scope, span.name) for limit, span in spans.items()}
    balances = {}
    if accounts:
        async with database.reading(once=True) as session:
            balances = dict(await balances_of(session, accounts))
    set_ones = set(snapshot.budgets)
    views = [
        _view(
            limit,
            span,
            balances.get(Account(limit.scope, span.name), Balance()),
            "set" if limit in set_ones else "client",
        )
        for limit, span in spans.items()
    ]
    return BudgetsView(snapshot.revision, views)


def _view(limit: Limit, span: Span, balance: Balance, source: BudgetSource) -> LimitView:
    budget = limit.budget
    remaining = Amounts(
        None if budget.tokens is None else max(0, budget.tokens - balance.tokens),
        None if budget.money is None else usd(max(0, budget.money - balance.micros)),
    )
    return LimitView(
        limit.scope,
        budget.per,
        budget.tokens,
        usd(budget.money),
        budget.hard,
        Amounts(balance.spent_tokens, usd(balance.spent_micros)),
        Amounts(balance.reserved_tokens, usd(balance.reserved_micros)),
        remaining,
        iso(span.resets_us),
        _state(limit, balance, remaining),
        source,
    )


def _state(limit: Limit, balance: Balance, remaining: Amounts) -> BudgetState:
    if not limit.budget.hard:
        return "warned" if is_passed(limit, balance) else "ok"
    return "exhausted" if 0 in set(_amounts(remaining)) else "ok"


def _amounts(amounts: Amounts) -> Iterator[float]:
    yield from (each for each in (amounts.tokens, amounts.money) if each is not None)
