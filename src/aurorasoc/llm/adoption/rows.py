"""The stored configuration as rows: read in one statement, and written in a transaction."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from typing import Any, Final, TypeVar

from pydantic import TypeAdapter, ValidationError
from sqlalchemy import delete, func, literal, select, true, union
from sqlalchemy.ext.asyncio import AsyncSession

from aurorasoc.config.assignments import UNASSIGNED, Assignments
from aurorasoc.config.budgets import Limit, can_be_limits
from aurorasoc.config.call_options import NO_OPTIONS, CallOptions
from aurorasoc.config.fallbacks import can_be_fallbacks
from aurorasoc.config.hosted_traffic import ALLOWED, HostedTraffic
from aurorasoc.config.vocabulary import BUILT_IN, ConnectionName, ServingBackend, is_connection_name
from aurorasoc.core.canonical import canonical
from aurorasoc.core.database.engine import announce_revision
from aurorasoc.core.database.tables import (
    ClientRow,
    ConnectionRow,
    CredentialRow,
    RevisionRow,
    RuntimeConfigRow,
)
from aurorasoc.llm.adoption.stored import MAX_NAMED, ConnectionChoice, StoredConfig, lists_in
from aurorasoc.llm.adoption.stored_clients import clients_in, save_clients

SINGLETON = 1

T = TypeVar("T")

_OPTIONS: Final = TypeAdapter(CallOptions)
_ASSIGNMENTS: Final = TypeAdapter(Assignments)
_LIMITS: Final = TypeAdapter(tuple[Limit, ...])


@dataclass(frozen=True, slots=True)
class StoredRows:
    """All that is stored of the configuration, read at once.

    Attributes:
        key_rows: The stored keys' rows, by connection, where the name can be one's.
        written_us: When the revision was written; None for 0, the boot defaults.
        newest_revision: The newest number in use, by the configuration or in the history, where
            the database's running role may add rows of its own.
    """

    config: StoredConfig
    key_rows: dict[str, CredentialRow]
    written_us: int | None
    newest_revision: int


MAX_REVISION: Final = 2**62
"""A higher number in the history is no change's: nothing could follow it for long."""

_NEWEST: Final = (
    select(func.max(RevisionRow.revision))
    .where(RevisionRow.revision < MAX_REVISION)
    .correlate(None)
    .scalar_subquery()
)
_ONE: Final = select(literal(1).label("one")).subquery()
_NAMES: Final = union(
    select(ConnectionRow.connection.label("name")),
    select(CredentialRow.connection),
    select(ClientRow.name),
).subquery()
"""One row of the answer each: joined by themselves, the tables would multiply."""

_EVERYTHING: Final = (
    select(RuntimeConfigRow, ConnectionRow, CredentialRow, ClientRow, RevisionRow.at_us, _NEWEST)
    .select_from(_ONE)  # always one row, even if the tables are empty
    .outerjoin(RuntimeConfigRow, RuntimeConfigRow.id == SINGLETON)
    .outerjoin(RevisionRow, RevisionRow.revision == RuntimeConfigRow.revision)
    .outerjoin(_NAMES, true())
    .outerjoin(ConnectionRow, ConnectionRow.connection == _NAMES.c.name)
    .outerjoin(CredentialRow, CredentialRow.connection == _NAMES.c.name)
    .outerjoin(ClientRow, ClientRow.name == _NAMES.c.name)
)


async def load_stored(session: AsyncSession) -> StoredRows:
    """Read everything in one statement: each further one costs every process a round trip."""
    rows = (await session.execute(_EVERYTHING)).all()
    choices = [row[1] for row in rows if row[1] is not None]
    keys = [row[2] for row in rows if row[2] is not None]
    key_rows = {row.connection: row for row in keys if is_connection_name(row.connection)}
    clients = clients_in(row[3] for row in rows if row[3] is not None)
    stored, *_, written_us, recorded = rows[0]
    config = replace(_stored_config(stored, choices), clients=clients)
    return StoredRows(config, key_rows, written_us, max(config.revision, recorded or 0))


def _stored_config(row: RuntimeConfigRow | None, choices: Iterable[ConnectionRow]) -> StoredConfig:
    ours = sorted(filter(_is_ours, choices), key=lambda row: row.connection)
    providers = {row.connection: _choice(row) for row in _bounded(ours)}
    if row is None:
        return StoredConfig(providers=providers)
    return StoredConfig(
        revision=row.revision,
        backend=row.backend,
        hosted_max_tlp=row.hosted_max_tlp,
        local_backend=row.local_backend,
        require_tlp=row.require_tlp,
        providers=providers,
        assignments=_assignments(row.assignments),
        fallbacks=_fallbacks(row.fallbacks),
        on_refusal=row.on_refusal,
        hosted_traffic=hosted_traffic_in(row),
        budgets=_limits(row.budgets),
    )


def hosted_traffic_in(row: RuntimeConfigRow) -> HostedTraffic:
    """Read whether hosted traffic is allowed; a state that no change wrote allows nothing."""
    return HostedTraffic(
        "allowed" if row.hosted_state in {None, "allowed"} else "stopped",
        row.hosted_since,
        row.hosted_by,
        row.hosted_reason,
    )


def _is_ours(row: ConnectionRow) -> bool:
    """Whether a change can have written it: it is a built-in one's, or names a known provider."""
    if row.connection in BUILT_IN:
        return True
    return row.provider in set(ServingBackend) and is_connection_name(row.connection)


def _bounded(rows: Iterable[ConnectionRow]) -> Iterator[ConnectionRow]:
    """Yield built-in connections, and as many named ones as a change may make."""
    named = 0
    for row in rows:
        named += row.connection not in BUILT_IN
        if row.connection in BUILT_IN or named <= MAX_NAMED:
            yield row


def _choice(row: ConnectionRow) -> ConnectionChoice:
    return ConnectionChoice(
        model=row.model,
        orchestrator_model=row.orchestrator_model,
        base_url=row.base_url,
        provider=None if row.connection in BUILT_IN else ServingBackend(row.provider or ""),
        max_tlp=row.max_tlp,
        options=_parsed(_OPTIONS, row.options) or NO_OPTIONS,
        from_env=row.from_env or None,
    )


def _assignments(text: str | None) -> Assignments:
    """Read who uses what; nobody does where no change can have written the lists of fallbacks."""
    assignments = _parsed(_ASSIGNMENTS, text) or UNASSIGNED
    return assignments if all(map(can_be_fallbacks, lists_in(assignments))) else UNASSIGNED


def _fallbacks(text: str | None) -> tuple[ConnectionName, ...] | None:
    """Read the policy's fallbacks; there are none in a list that no change can have written."""
    if not text:
        return None if text is None else ()
    names = tuple(text.split(","))
    return names if can_be_fallbacks(names) else ()


def _limits(text: str | None) -> tuple[Limit, ...]:
    """Read the budgets' limits; there are none in a list that no change can have written."""
    limits = _parsed(_LIMITS, text) or ()
    return limits if can_be_limits(limits) else ()


def _parsed(kind: TypeAdapter[T], text: str | None) -> T | None:
    """Read a column; None if it is empty, or not of this version: no change wrote it then."""
    with suppress(ValidationError):
        return None if text is None else kind.validate_json(text)
    return None


def _text(value: Mapping[str, Any] | Sequence[Any] | None) -> str | None:
    return None if value is None else canonical(value)


async def save_config(session: AsyncSession, config: StoredConfig) -> None:
    """Write the rows and announce their revision; the caller's transaction commits both."""
    hosted = config.hosted_traffic
    await session.merge(
        RuntimeConfigRow(
            id=SINGLETON,
            revision=config.revision,
            backend=config.backend,
            hosted_max_tlp=config.hosted_max_tlp,
            local_backend=config.local_backend,
            require_tlp=config.require_tlp,
            assignments=_text(
                asdict(config.assignments) if config.assignments != UNASSIGNED else None
            ),
            fallbacks=None if config.fallbacks is None else ",".join(config.fallbacks),
            on_refusal=config.on_refusal,
            hosted_state=hosted.state if hosted != ALLOWED else None,
            hosted_since=hosted.since,
            hosted_by=hosted.by,
            hosted_reason=hosted.reason,
            budgets=_text([asdict(one) for one in config.budgets] or None),
        )
    )
    await session.execute(delete(ConnectionRow))
    session.add_all(
        ConnectionRow(
            connection=name,
            provider=choice.provider,
            model=choice.model,
            orchestrator_model=choice.orchestrator_model,
            base_url=choice.base_url,
            max_tlp=choice.max_tlp,
            options=_text(choice.options.as_json() or None),
            from_env=choice.from_env,
        )
        for name, choice in config.providers.items()
    )
    await save_clients(session, config.clients)
    await session.flush()
    await announce_revision(session, config.revision)
