"""The books: what is reserved and what was spent, changed in one transaction for many calls.

Nothing here waits for a model. What a call reserved counts as spent until it is settled, so a
process that is killed in between loses nothing but what it reserved.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, Final

from sqlalchemy import delete, insert, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncSession

from aurorasoc.config.budgets import MOST_TOKENS
from aurorasoc.core.database.tables import ReservationRow, SpendingRow
from aurorasoc.core.database.upsert import insert_or
from aurorasoc.llm.budgets.entries import (
    Account,
    Balance,
    Full,
    Granted,
    Outcome,
    Posting,
    ReservationRequest,
    Settlement,
    accounts_of,
)

RESERVED_US: Final = 3_600_000_000
"""How long a reservation waits for its call, an hour; then it counts as spent."""


_MOST_STORED: Final = 2**62
"""The most that an account holds; any limit is far below it."""


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
    return await _read(session, _rows_of(accounts))


async def lock_accounts(
    session: AsyncSession, accounts: Iterable[Account]
) -> dict[Account, Balance]:
    """Read accounts and keep others from changing them; SQLite has one writer in any case."""
    return await _read(session, _rows_of(accounts).with_for_update())


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


async def _read(session: AsyncSession, query: Any) -> dict[Account, Balance]:  # noqa: ANN401 - as above
    rows = await session.scalars(query)
    return {Account(row.scope, row.period): _balance(row) for row in rows}


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
