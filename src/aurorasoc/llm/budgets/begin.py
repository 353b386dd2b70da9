"""Limits that come into force: their accounts begin at what their period already cost."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from typing import Any, Final, get_args

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from aurorasoc.config.budgets import Limit
from aurorasoc.config.snapshot import Snapshot
from aurorasoc.config.vocabulary import Role
from aurorasoc.core.database.tables import UsageRow
from aurorasoc.granite.catalog import CATALOG
from aurorasoc.llm.budgets.books import lock_accounts, open_accounts, save_balances
from aurorasoc.llm.budgets.entries import Account, Balance, is_passed
from aurorasoc.llm.budgets.limits import limits_of, scopes_of
from aurorasoc.llm.budgets.periods import Span, span_at

_ROLES: Final = frozenset(get_args(Role))
"""What stands in place of an agent where none asked."""


async def begin_limits(
    session: AsyncSession, before: Snapshot, after: Snapshot, now_us: int
) -> list[tuple[Limit, Account]]:
    """Open the accounts of new limits, in the transaction that puts them in force.

    It costs nothing where no limit changes. An account that is there keeps what it spent if that
    is more: an earlier limit may have booked what usage doesn't count, such as abandoned calls.

    Returns:
        The soft limits that are used up by this change alone, and their accounts.
    """
    old, new = frozenset(limits_of(before)), frozenset(limits_of(after))
    if not new - old:
        return []
    opened = _accounts(new, now_us) - _accounts(old, now_us)
    changed = _accounts(new - old, now_us)
    await open_accounts(session, changed)
    balances = await lock_accounts(session, changed)
    for account, counted in (await _counted(session, after, opened, now_us)).items():
        balance = balances[account]
        balance.spent_tokens = max(balance.spent_tokens, counted.spent_tokens)
        balance.spent_micros = max(balance.spent_micros, counted.spent_micros)
    await save_balances(session, {one: balances[one] for one in opened})
    known = {one.key: one for one in old}
    return [
        (limit, account)
        for limit in sorted(new - old, key=lambda one: one.key)
        for account in _accounts([limit], now_us)
        if _is_passed_now(limit, known.get(limit.key), balances[account])
    ]


def _is_passed_now(limit: Limit, earlier: Limit | None, balance: Balance) -> bool:
    """Whether a soft limit is used up, and the one that it replaces wasn't."""
    if limit.budget.hard or not is_passed(limit, balance):
        return False
    return earlier is None or not is_passed(earlier, balance)


def _accounts(limits: Iterable[Limit], now_us: int) -> AbstractSet[Account]:
    return {Account(one.scope, span_at(one.budget.per, now_us).name) for one in limits}


async def _counted(
    session: AsyncSession, after: Snapshot, accounts: AbstractSet[Account], now_us: int
) -> dict[Account, Balance]:
    """Return what the usage of all processes says of accounts."""
    counted = {one: Balance() for one in accounts}
    for span in (span_at("day", now_us), span_at("month", now_us)):
        if span.name not in {one.period for one in accounts}:
            continue
        for row in await session.execute(_usage_of(span)):
            for scope in _scopes(after, row.connection, row.agent, row.client):
                if (balance := counted.get(Account(scope, span.name))) is not None:
                    balance.spent_tokens += int(row.tokens)
                    balance.spent_micros += int(row.micros)
    return counted


def _usage_of(span: Span) -> Any:  # noqa: ANN401 - SQLAlchemy's
    names = (UsageRow.connection, UsageRow.agent, UsageRow.client)
    tokens = func.sum(UsageRow.prompt_tokens + UsageRow.completion_tokens).label("tokens")
    micros = func.sum(UsageRow.micro_dollars).label("micros")
    within = (UsageRow.hour_us >= span.begins_us, UsageRow.hour_us < span.resets_us)
    return select(*names, tokens, micros).where(*within).group_by(*names)


def _scopes(after: Snapshot, connection: str, agent: str, client: str) -> Iterator[str]:
    """Yield whom usage counts for; that of a connection that is gone, for nobody else.

    Nobody knows whether that was hosted.
    """
    config = after.connections.get(connection)
    local = config is None or CATALOG[config.provider].may_be_local
    named = None if agent in _ROLES else agent
    return scopes_of(connection, named, client or None, local=local)
