"""What one call costs, over all its tries: reserved before each transmission, settled after it."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace

from aurorasoc.config.budgets import Limit, Period, amounts_in_words, dollars
from aurorasoc.core.clock import Clock, iso
from aurorasoc.core.logs import get_logger
from aurorasoc.errors import BudgetExceeded, DatabaseUnavailable
from aurorasoc.granite import ModelReference
from aurorasoc.llm.budgets.entries import (
    Account,
    Ceiling,
    Full,
    Posting,
    ReservationRequest,
    Settlement,
)
from aurorasoc.llm.budgets.periods import Span, span_at
from aurorasoc.llm.budgets.prices import PriceOf
from aurorasoc.llm.budgets.teller import Teller
from aurorasoc.llm.wire.asking.learned import Refusable
from aurorasoc.llm.wire.charges import LEAST_ANSWER, Ask, Size
from aurorasoc.llm.wire.prices import cost_of

SOON_SECONDS = 5.0
"""When to ask again where only calls under way take the room: they are settled by then, often."""

log = get_logger("aurorasoc.budgets")


@dataclass(slots=True)
class BudgetCounts:
    """What limits did in this process, by scope and period: for metrics.

    Attributes:
        refused: Calls that hard limits had no room for.
        warned: How often a soft limit was passed.
    """

    refused: Counter[tuple[str, Period]] = field(default_factory=Counter)
    warned: Counter[tuple[str, Period]] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class Bookkeeping:
    """Who writes the books, who counts refusals, and the time."""

    teller: Teller
    counts: BudgetCounts
    clock: Clock


class CallCharge:
    """The account of one call.

    Args:
        reference: Who is called.
        ask: What it may cost.
        limits: Those that it counts against; one at least.
        price_of: Returns a model's price.
        books: Where it is written down.
    """

    def __init__(
        self,
        reference: ModelReference,
        ask: Ask,
        limits: tuple[Limit, ...],
        price_of: PriceOf,
        books: Bookkeeping,
    ) -> None:
        self._reference, self._ask, self._price_of = reference, ask, price_of
        self._hard = tuple(one for one in limits if one.budget.hard)
        self._limits, self._teller, self._counts = limits, books.teller, books.counts
        self._clock = books.clock
        self._held: ReservationRequest | None = None
        self._held_without: AbstractSet[Refusable] = frozenset()
        self._under_way = False

    async def reserve(self, refused: AbstractSet[Refusable]) -> None:
        """Reserve what the next transmission may cost, unless that is done.

        Raises:
            BudgetExceeded: A hard limit has no room for it.
            DatabaseUnavailable: Nobody can tell whether it has.
        """
        if not self._hard or (self._held is not None and self._held_without == refused):
            return
        self._release()
        spans = {one: span_at(one.budget.per, self._clock()) for one in self._hard}
        size = self._ask.size(refused)
        requested = self._requested(size, spans)
        try:
            answer = await self._teller.reserve(requested)
        except DatabaseUnavailable:
            raise self._unavailable() from None
        if isinstance(answer, Full):
            limit = self._hard[requested.ceilings.index(answer.ceiling)]
            raise self._exceeded(limit, _room(limit, requested, answer), spans[limit])
        self._held = replace(requested, completion=answer.completion)
        self._held_without = refused
        self._ask.max_tokens = None if size.fixed else answer.completion

    def sends(self) -> None:
        """Note that the transmission begins."""
        self._under_way, self._ask.usage = True, None

    def failed(self, *, may_have_cost: bool) -> None:
        """Note that it failed; what surely cost nothing stays reserved for the next try."""
        if may_have_cost or self._ask.usage is not None:
            self._settle()
        self._under_way = False

    def answered(self) -> None:
        """Note that it was answered."""
        self._settle()

    def close(self) -> None:
        """Settle what is under way, and release what was never sent."""
        if self._under_way:
            self._settle()
        self._release()

    def _requested(self, size: Size, spans: dict[Limit, Span]) -> ReservationRequest:
        if size.completion is None:
            raise self._unbounded(spans)
        price = self._price_of(self._reference, size.prompt)
        if price is None:
            for limit in self._hard:
                if limit.budget.money is not None:
                    raise self._unpriced(limit, spans[limit])
        return ReservationRequest(
            str(uuid.uuid4()),
            size.prompt,
            size.completion,
            size.completion if size.fixed else min(size.completion, LEAST_ANSWER),
            price,
            tuple(
                Ceiling(_account(limit, spans[limit]), limit.budget.tokens, limit.budget.money)
                for limit in self._hard
            ),
        )

    def _settle(self) -> None:
        """Book what was counted; where nothing was, what was reserved is spent."""
        self._under_way = False
        usage, held = self._ask.usage, self._held
        self._held = None
        tokens = micros = None
        if usage is not None:
            tokens = usage.prompt_tokens + usage.completion_tokens
            price = self._price_of(self._reference, usage.prompt_tokens)
            micros = 0 if price is None else cost_of(usage, price)
        if held is not None:
            self._teller.settle(Settlement(held.id, held.accounts, tokens, micros))
            self._require_within(held, tokens)
        if tokens is not None and micros is not None:
            for account in self._soft_accounts(held):
                self._teller.post(Posting(account, tokens, micros))

    def _soft_accounts(self, held: ReservationRequest | None) -> Iterator[Account]:
        """Yield the accounts in which nothing was reserved."""
        reserved = frozenset() if held is None else held.accounts
        now = self._clock()
        yield from {_account(one, span_at(one.budget.per, now)) for one in self._limits} - reserved

    def _require_within(self, held: ReservationRequest, tokens: int | None) -> None:
        """Log a vendor that counts more than was thought possible: the limit may be exceeded."""
        most = held.prompt + held.completion
        if tokens is not None and tokens > most:
            connection, model = self._reference.connection, self._reference.model
            log.warning(
                "a call cost more than was reserved for it",
                connection=connection,
                model=model,
                reserved=most,
                counted=tokens,
            )

    def _release(self) -> None:
        if self._held is not None:
            self._teller.settle(Settlement(self._held.id, self._held.accounts, 0, 0))
            self._held = None

    def _exceeded(self, limit: Limit, why: tuple[str, bool], span: Span) -> BudgetExceeded:
        words, is_soon = why
        seconds = SOON_SECONDS if is_soon else self._seconds_to(span)
        return self._refusal(limit, words, span, seconds)

    def _unpriced(self, limit: Limit, span: Span) -> BudgetExceeded:
        words = (
            f"limits money, and no price is known of {self._reference.model} at "
            f"{self._reference.connection}. Set the connection's option price, or limit tokens."
        )
        return self._refusal(limit, words, span, self._seconds_to(span))

    def _unbounded(self, spans: dict[Limit, Span]) -> BudgetExceeded:
        limit = self._hard[0]
        words = (
            f"needs a bound on each answer, and {self._reference.model} at "
            f"{self._reference.connection} takes none. Ask another model."
        )
        return self._refusal(limit, words, spans[limit], self._seconds_to(spans[limit]))

    def _refusal(self, limit: Limit, words: str, span: Span, seconds: float) -> BudgetExceeded:
        self._counts.refused[limit.scope, limit.budget.per] += 1
        amounts = amounts_in_words(limit.budget.tokens, limit.budget.money)
        resets = iso(span.resets_us)
        detail = (
            f"The hard budget of {limit.kind} {limit.name}, {amounts} per {limit.budget.per}, "
            f"{words} It resets at {resets[:19]}Z."
        )
        return BudgetExceeded(detail, retry_after=seconds, resets_at=resets)

    def _seconds_to(self, span: Span) -> float:
        return max(1.0, (span.resets_us - self._clock()) / 1e6)

    def _unavailable(self) -> DatabaseUnavailable:
        limit = self._hard[0]
        detail = (
            f"A hard budget limits calls of {limit.kind} {limit.name}, and the database that holds "
            "what is spent doesn't answer. Nothing was sent; try again."
        )
        return DatabaseUnavailable(detail)


def _account(limit: Limit, span: Span) -> Account:
    return Account(limit.scope, span.name)


def _room(limit: Limit, requested: ReservationRequest, full: Full) -> tuple[str, bool]:
    """Say why a limit has no room, and whether it would once the calls under way are over."""
    budget, balance = limit.budget, full.balance
    tokens, micros = requested.prompt + requested.least, requested.micros(requested.least)
    if budget.tokens is not None and balance.tokens + tokens > budget.tokens:
        fits, fits_alone = balance.spent_tokens + tokens <= budget.tokens, tokens <= budget.tokens
        spent, held = f"{balance.spent_tokens:,}", f"{balance.reserved_tokens:,}"
        cost = f"{tokens:,} tokens"
    else:
        most = budget.money or 0
        fits, fits_alone = balance.spent_micros + micros <= most, micros <= most
        spent, held = dollars(balance.spent_micros), dollars(balance.reserved_micros)
        cost = f"{dollars(micros)} USD"
    words = (
        f"has no room: {spent} spent, {held} reserved for calls under way, and this one may cost "
        f"{cost}."
    )
    if not fits_alone:
        words += " That is more than the whole budget: ask for less, or raise it."
    return words, fits
