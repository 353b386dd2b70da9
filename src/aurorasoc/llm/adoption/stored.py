"""The stored configuration as one value: read from the rows, written to them, compared."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final, TypeVar

from sqlalchemy import delete, func, literal, select
from sqlalchemy.ext.asyncio import AsyncSession

from aurorasoc.config.vocabulary import ServingBackend
from aurorasoc.core.database.engine import announce_revision
from aurorasoc.core.database.tables import (
    CredentialRow,
    ProviderConfigRow,
    RevisionRow,
    RuntimeConfigRow,
)

SINGLETON = 1

Row = TypeVar("Row", ProviderConfigRow, CredentialRow)


@dataclass(frozen=True, slots=True)
class ProviderChoice:
    """What an admin chose for one provider. None means the boot default."""

    model: str | None = None
    orchestrator_model: str | None = None
    base_url: str | None = None


@dataclass(frozen=True, slots=True)
class StoredConfig:
    """All that an admin chose, except keys. None means the boot default."""

    revision: int = 0
    backend: str | None = None
    hosted_max_tlp: str | None = None
    local_backend: str | None = None
    require_tlp: bool | None = None
    providers: Mapping[ServingBackend, ProviderChoice] = field(default_factory=dict)

    def choice(self, provider: ServingBackend) -> ProviderChoice:
        """Return what was chosen for a provider."""
        return self.providers.get(provider, ProviderChoice())

    def with_choice(self, provider: ServingBackend, choice: ProviderChoice) -> StoredConfig:
        """Return the same configuration with one provider's values replaced."""
        others = {p: c for p, c in self.providers.items() if p != provider}
        if choice != ProviderChoice():
            others[provider] = choice
        return replace(self, providers=others)

    def as_json(self) -> dict[str, Any]:
        """Return plain values for the history, without keys."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class StoredRows:
    """All that is stored of the configuration, read at once.

    Attributes:
        key_rows: The stored keys' rows, by provider; those of known providers only.
        written_us: When the revision was written; None for 0, the boot defaults.
        newest_revision: The newest number in use, by the configuration or in the history, where
            the database's running role may add rows of its own.
    """

    config: StoredConfig
    key_rows: dict[str, CredentialRow]
    written_us: int | None
    newest_revision: int


_KNOWN: Final = tuple(provider.value for provider in ServingBackend)
"""Rows of other providers are not even read: a newer version may know them, or nobody."""

MAX_REVISION: Final = 2**62
"""A higher number in the history is no change's: nothing could follow it for long."""

_NEWEST: Final = (
    select(func.max(RevisionRow.revision))
    .where(RevisionRow.revision < MAX_REVISION)
    .correlate(None)
    .scalar_subquery()
)
_ONE: Final = select(literal(1).label("one")).subquery()
_EVERYTHING: Final = (
    select(RuntimeConfigRow, ProviderConfigRow, CredentialRow, RevisionRow.at_us, _NEWEST)
    .select_from(_ONE)  # always one row, even if the tables are empty
    .outerjoin(RuntimeConfigRow, RuntimeConfigRow.id == SINGLETON)
    .outerjoin(RevisionRow, RevisionRow.revision == RuntimeConfigRow.revision)
    .outerjoin(ProviderConfigRow, ProviderConfigRow.provider.in_(_KNOWN))
    .outerjoin(CredentialRow, CredentialRow.provider.in_(_KNOWN))
)


async def load_stored(session: AsyncSession) -> StoredRows:
    """Read everything in one statement: each further one costs every process a round trip."""
    rows = (await session.execute(_EVERYTHING)).all()
    choices = _by_provider(row[1] for row in rows)
    key_rows = _by_provider(row[2] for row in rows)
    stored, _, _, written_us, recorded = rows[0]
    config = _stored_config(stored, choices.values())
    return StoredRows(config, key_rows, written_us, max(config.revision, recorded or 0))


def _by_provider(rows: Iterable[Row | None]) -> dict[str, Row]:
    """Return each row once; an outer join leaves None where there is none."""
    return {row.provider: row for row in rows if row is not None}


def _stored_config(
    row: RuntimeConfigRow | None, choices: Iterable[ProviderConfigRow]
) -> StoredConfig:
    providers = {
        ServingBackend(c.provider): ProviderChoice(c.model, c.orchestrator_model, c.base_url)
        for c in choices
    }
    if row is None:
        return StoredConfig(providers=providers)
    return StoredConfig(
        revision=row.revision,
        backend=row.backend,
        hosted_max_tlp=row.hosted_max_tlp,
        local_backend=row.local_backend,
        require_tlp=row.require_tlp,
        providers=providers,
    )


async def save_config(session: AsyncSession, config: StoredConfig) -> None:
    """Write the rows and announce their revision; the caller's transaction commits both."""
    await session.merge(
        RuntimeConfigRow(
            id=SINGLETON,
            revision=config.revision,
            backend=config.backend,
            hosted_max_tlp=config.hosted_max_tlp,
            local_backend=config.local_backend,
            require_tlp=config.require_tlp,
        )
    )
    await session.execute(delete(ProviderConfigRow))
    session.add_all(
        ProviderConfigRow(
            provider=provider.value,
            model=choice.model,
            orchestrator_model=choice.orchestrator_model,
            base_url=choice.base_url,
        )
        for provider, choice in config.providers.items()
    )
    await session.flush()
    await announce_revision(session, config.revision)
