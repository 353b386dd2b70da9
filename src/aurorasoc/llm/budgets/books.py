"""The books: what is reserved and what was spent, changed in one transaction for many calls.

Nothing here waits for a model. What a call reserved counts as spent until it is settled, so a
process that is killed in between loses nothing but what it reserved.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from sqlalchemy import delete, insert, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncSession

from aurorasoc.config.budgets import MOST_TOKENS, Limit
from aurorasoc.config.call_options import Price
from aurorasoc.core.database.tables import ReservationRow, SpendingRow
from aurorasoc.core.database.upsert import insert_or
from aurorasoc.llm.budgets.prices import longest_answer
from aurorasoc.llm.wire.prices import most_of

RESERVED_US: Final = 3_600_000_000
"""How long a reservation waits for its call, an hour; then it counts as spent."""


_MOST_STORED: Final = 2**62
"""The most that an account holds; any limit is far below it."""


class Account(NamedTuple):
    """What one scope spends in one day or month."""

    scope: str
    period: str


@dataclass(slots=True)
class Balance:
    """An account as it stands. Money is in micro-USD."""

    spent_tokens: int = 0
    spent_micros: int = 0
    reserved_tokens: int = 0
    reserved_micros: int = 0

    @property
    def tokens(self) -> int:
        """Spent and reserved."""
        return self.spent_tokens + self.reserved_tokens

    @property
    def micros(self) -> int:
        """Spent and reserved."""
        return self.spent_micros + self.reserved_micros


def is_passed(limit: Limit, balance: Balance) -> bool:
    """Whether what was spent reaches a limit."""
    budget = limit.budget
    tokens = budget.tokens is not None and balance.spent_tokens >= budget.tokens
    return tokens or (budget.money is not None and balance.spent_micros >= budget.money)


@dataclass(frozen=True, slots=True)
class Ceiling:
    """A hard limit that a call counts against: amounts that its account may not exceed."""

    account: Account
    tokens: int | None
    micros: int | None

    def room(self, balance: Balance, prompt: int, price: Price | None) -> int:
        """Return how many tokens an answer may have, so that it and its prompt fit in."""
        rooms = []
        if self.tokens is not None:
            rooms.append(self.tokens - balance.tokens - prompt)
        if self.micros is not None and price is not None:
            rooms.append(longest_answer(self.micros - balance.micros, prompt, price))
        return min(rooms, default=0)


@dataclass(frozen=True, slots=True)
class ReservationRequest:
    """What one transmission wants reserved.

    Attributes:
        id: Of the reservation.
        prompt: Tokens of the prompt at most.
        completion: Tokens of the answer at most.
        least: Tokens of the answer with which it is content.
        price: None: nobody knows it, and no ceiling limits money.
        ceilings: The hard limits that it counts against.
    """

    id: str
    prompt: int
    completion: int
    least: int
    price: Price | None
    ceilings: tuple[Ceiling, ...]

    @property
    def accounts(self) -> frozenset[Account]:
        """The accounts that it is reserved in."""
        return frozenset(one.account for one in self.ceilings)

    def micros(self, completion: int) -> int:
        """Return what it costs with an answer of a length."""
        return 0 if self.price is None else most_of(self.prompt, completion, self.price)


@dataclass(frozen=True, slots=True)
class Full:
    """Why nothing was reserved: a ceiling, and how its account stands."""

    ceiling: Ceiling
    balance: Balance


@dataclass(frozen=True, slots=True)
class Granted:
    """What was reserved: so many tokens of an answer."""

    completion: int


@dataclass(frozen=True, slots=True)
class Settlement:
    """What a reserved transmission did cost; None: all that was reserved.

    Attributes:
        id: Of the reservation.
        accounts: Where it is reserved.
    """

    id: str
    accounts: frozenset[Account]
    tokens: int | None = None
    micros: int | None = None


@dataclass(frozen=True, slots=True)
class Posting:
    """What a call cost that reserved nothing, for an account with soft limits alone."""

    account: Account
    tokens: int
    micros: int


@dataclass(slots=True)
class Outcome:
    """What a transaction did.

    Attributes:
        answers: What became of each request, by its id.
        before: The accounts as they stood.
        after: The accounts as they stand.
    """

    answers: dict[str, Granted | Full] = field(default_factory=dict)
    before: dict[Account, Balance] = field(default_factory=dict)
    after: dict[Account, Balance] = field(default_factory=dict)


def accounts_of(
    requested: Iterable[ReservationRequest],
    settled: Iterable[Settlement],
    posted: Iterable[Posting],
) -> frozenset[Account]:
    """Return the accounts that a transaction changes."""
    return frozenset().union(
        *(one.accounts for one in requested),
        *(one.accounts for one in settled),
        [one.account for one in posted],
    )


async def open_accounts(session: AsyncSession, accounts: Iterable[Account]) -> None:
    """Make rows for accounts that have none, in an order that all processes keep."""
    rows = [{**one._asdict(), **_EMPTY} for one in sorted(accounts)]
    await session.execute(insert_or(session, SpendingRow).on_conflict_do_nothing(), rows)


async def keep_books(
    session: AsyncSession,
    requested: Sequence[ReservationRequest],
    settled: Sequence[Settlement],
    posted: Sequence[Posting],
    now_us: int,
) -> Outcome:
    """Settle what is known, then reserve in turn what still fits; the caller commits.

    Args:
        session: A writing one.
        requested: What to reserve.
        settled: What calls did cost.
        posted: What calls cost that reserved nothing.
        now_us: The time.
    """
    balances = await _all_locked(session, accounts_of(requested, settled, posted))
    outcome = Outcome(before={a: _copy(b) for a, b in balances.items()}, after=balances)
    await _settle(session, settled, balances)
    for posting in posted:
        balances[posting.account].spent_tokens += _bounded(posting.tokens)
        balances[posting.account].spent_micros += _bounded(posting.micros)
    rows: list[dict[str, Any]] = []
    for one in requested:
        outcome.answers[one.id] = answer = _answer(one, balances)
        if isinstance(answer, Granted):
            rows += _reserve(one, answer.completion, balances, now_us)
    if rows:
        await session.execute(insert(ReservationRow), rows)
    changed = {a: b for a, b in balances.items() if b != outcome.before[a]}
    await save_balances(session, changed)
    return outcome


async def expired(session: AsyncSession, now_us: int) -> list[Settlement]:
    """Return the reservations whose calls were never settled: they count as spent."""
    query = select(ReservationRow.id, ReservationRow.scope, ReservationRow.period)
    rows = await session.execute(query.where(ReservationRow.expires_us < now_us).limit(500))
    accounts: dict[str, set[Account]] = {}
    for reservation, scope, period in rows:
        accounts.setdefault(reservation, set()).add(Account(scope, period))
    return [Settlement(one, frozenset(its)) for one, its in accounts.items()]


async def forget_before(session: AsyncSession, period: str) -> None:
    """Remove accounts of days and months before one."""
    await session.execute(delete(SpendingRow).where(SpendingRow.period < period))


async def balances_of(
    session: AsyncSession, accounts: Iterable[Account]
) -> Mapping[Account, Balance]:
    """Read accounts; one that has no row yet is left out."""
    rows = await session.scalars(_rows_of(accounts))
    return {Account(row.scope, row.period): _balance(row) for row in rows}


async def lock_accounts(
    session: AsyncSession, accounts: Iterable[Account]
) -> dict[Account, Balance]:
    """Read accounts and keep others from changing them; SQLite has one writer in any case."""
    rows = await session.scalars(_rows_of(accounts).with_for_update())
    return {Account(row.scope, row.period): _balance(row) for row in rows}


async def save_balances(session: AsyncSession, balances: Mapping[Account, Balance]) -> None:
    """Write accounts, which are locked."""
    for account, balance in balances.items():
        row = update(SpendingRow).where(
            SpendingRow.scope == account.scope, SpendingRow.period == account.period
        )
        await session.execute(
            row.values(
                spent_tokens=_storable(balance.spent_tokens),
                spent_micros=_storable(balance.spent_micros),
                reserved_tokens=_storable(balance.reserved_tokens),
                reserved_micros=_storable(balance.reserved_micros),
            ).execution_options(synchronize_session=False)
        )


_EMPTY: Final = {
    "spent_tokens": 0,
    "spent_micros": 0,
    "reserved_tokens": 0,
    "reserved_micros": 0,
}


def _rows_of(accounts: Iterable[Account]) -> Any:  # noqa: ANN401 - SQLAlchemy's
    keys = tuple_(SpendingRow.scope, SpendingRow.period)
    ordered = select(SpendingRow).where(keys.in_(sorted(accounts)))
    return ordered.order_by(SpendingRow.scope, SpendingRow.period)


async def _all_locked(
    session: AsyncSession, accounts: AbstractSet[Account]
) -> dict[Account, Balance]:
    """Do so, and open those that somebody removed since they were opened."""
    balances = await lock_accounts(session, accounts)
    if missing := accounts - balances.keys():
        await open_accounts(session, missing)
        balances |= await lock_accounts(session, missing)
    return balances


async def _settle(
    session: AsyncSession, settled: Sequence[Settlement], balances: Mapping[Account, Balance]
) -> None:
    """Turn reservations into spending; one that is gone was settled already."""
    by_id = {one.id: one for one in settled}
    if not by_id:
        return
    gone = await session.execute(
        delete(ReservationRow)
        .where(ReservationRow.id.in_(by_id))
        .returning(
            ReservationRow.id,
            ReservationRow.scope,
            ReservationRow.period,
            ReservationRow.tokens,
            ReservationRow.micros,
        )
    )
    for reservation, scope, period, tokens, micros in gone.all():
        one, balance = by_id[reservation], balances.get(Account(scope, period))
        if balance is None:
            continue
        balance.reserved_tokens -= tokens
        balance.reserved_micros -= micros
        balance.spent_tokens += tokens if one.tokens is None else _bounded(one.tokens)
        balance.spent_micros += micros if one.micros is None else _bounded(one.micros)


def _answer(requested: ReservationRequest, balances: Mapping[Account, Balance]) -> Granted | Full:
    completion = requested.completion
    for ceiling in requested.ceilings:
        balance = balances[ceiling.account]
        room = ceiling.room(balance, requested.prompt, requested.price)
        if room < requested.least:
            return Full(ceiling, _copy(balance))
        completion = min(completion, room)
    return Granted(completion)


def _reserve(
    requested: ReservationRequest, completion: int, balances: Mapping[Account, Balance], now_us: int
) -> list[dict[str, Any]]:
    tokens = _storable(requested.prompt + completion)
    micros = _storable(requested.micros(completion))
    rows = []
    for account in requested.accounts:
        balances[account].reserved_tokens += tokens
        balances[account].reserved_micros += micros
        amounts = {"tokens": tokens, "micros": micros, "expires_us": now_us + RESERVED_US}
        rows.append({"id": requested.id, **account._asdict(), **amounts})
    return rows


def _balance(row: SpendingRow) -> Balance:
    amounts = (row.spent_tokens, row.spent_micros, row.reserved_tokens, row.reserved_micros)
    return Balance(*map(_storable, amounts))


def _copy(balance: Balance) -> Balance:
    return Balance(
        balance.spent_tokens,
        balance.spent_micros,
        balance.reserved_tokens,
        balance.reserved_micros,
    )


def _storable(amount: int) -> int:
    """Bound a sum to what a column holds: others may have written any number, and go on counting.

    Less than nothing is nothing: it would be room that no limit gives.
    """
    return min(max(amount, 0), _MOST_STORED)


def _bounded(amount: int) -> int:
    """Bound what a vendor says: the column holds sums of it."""
    return min(max(amount, 0), MOST_TOKENS // 1_000)
