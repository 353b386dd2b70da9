"""Knows the limits in force, and opens an account for each call that one of them applies to."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from sqlalchemy.ext.asyncio import AsyncSession

from aurorasoc.config.budgets import Limit, amounts_in_words
from aurorasoc.config.snapshot import Snapshot
from aurorasoc.core.access.acting import acting
from aurorasoc.core.clock import Clock, now_us
from aurorasoc.core.database.engine import Database, after_commit
from aurorasoc.core.logs import get_logger
from aurorasoc.granite import ModelReference
from aurorasoc.granite.catalog import CATALOG
from aurorasoc.llm.budgets.begin import begin_limits
from aurorasoc.llm.budgets.charge import Bookkeeping, BudgetCounts, CallCharge
from aurorasoc.llm.budgets.entries import Account, Outcome, is_passed
from aurorasoc.llm.budgets.limits import NO_LIMITS, LimitsByScope, by_scope, limits_of, scopes_of
from aurorasoc.llm.budgets.prices import PriceOf, price_of
from aurorasoc.llm.budgets.teller import Teller
from aurorasoc.llm.wire.call_record import Purpose
from aurorasoc.llm.wire.charges import Ask

_DAY = len("2026-11-28")

log = get_logger("aurorasoc.budgets")


class BudgetGuard:
    """This process's part in holding the limits.

    Args:
        snapshot: Returns the one in force.
        database: Where the books are.
        price_of: Returns a model's price.
        clock: The time.

    Attributes:
        counts: What limits did in this process.
        teller: Writes the books.
    """

    def __init__(
        self,
        snapshot: Callable[[], Snapshot],
        database: Database,
        price_of: PriceOf = price_of,
        clock: Clock = now_us,
    ) -> None:
        self.counts = BudgetCounts()
        self.teller = Teller(database, self._booked, clock)
        self._books = Bookkeeping(self.teller, self.counts, clock)
        self._snapshot, self._price_of, self._clock = snapshot, price_of, clock
        self._indexed: Snapshot | None = None
        self._index: LimitsByScope = NO_LIMITS

    def charge(self, reference: ModelReference, purpose: Purpose, ask: Ask) -> CallCharge | None:
        """Return what keeps a call's account; None: no limit applies to it."""
        index = self._limits()
        if not index:
            return None
        who, local = acting(), CATALOG[reference.provider].may_be_local
        client = None if who is None else who.client
        scopes = scopes_of(reference.connection, purpose.asker.agent, client, local=local)
        limits = tuple(limit for scope in scopes for limit in index.get(scope, ()))
        if not limits:
            return None
        return CallCharge(reference, ask, limits, self._price_of, self._books)

    async def begin(self, session: AsyncSession, before: Snapshot, after: Snapshot) -> None:
        """Let limits that a change puts in force begin at what their period already cost.

        Warn of soft ones that are used up thereby, once the change is committed.
        """
        for limit, account in await begin_limits(session, before, after, self._clock()):
            after_commit(session, partial(self._warn, limit, account))

    def _limits(self) -> LimitsByScope:
        snapshot = self._snapshot()
        if snapshot is not self._indexed:
            self._index, self._indexed = by_scope(limits_of(snapshot)), snapshot
        return self._index

    def _booked(self, outcome: Outcome) -> None:
        """Warn of soft limits that a transaction passed: exactly one in the fleet does."""
        index = self._limits()
        for account, after in outcome.after.items():
            for limit in index.get(account.scope, ()):
                before = outcome.before[account]
                if _is_of(limit, account) and is_passed(limit, after) > is_passed(limit, before):
                    self._warn(limit, account)

    def _warn(self, limit: Limit, account: Account) -> None:
        budget = limit.budget
        self.counts.warned[limit.scope, budget.per] += 1
        log.warning(
            "a soft budget is used up",
            scope=limit.scope,
            budget=amounts_in_words(budget.tokens, budget.money),
            period=account.period,
        )


def _is_of(limit: Limit, account: Account) -> bool:
    """Whether an account is what a soft limit is about."""
    is_day = len(account.period) == _DAY
    return not limit.budget.hard and is_day == (limit.budget.per == "day")
