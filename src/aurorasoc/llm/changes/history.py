"""What each revision was, how two differ, and the way back as a new revision."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from aurorasoc.config.snapshot import Snapshot
from aurorasoc.config.vocabulary import AUTO, ServingBackend
from aurorasoc.core.clock import iso
from aurorasoc.core.database.tables import RevisionRow
from aurorasoc.errors import NotFound
from aurorasoc.granite.backend_resolution import require_ready
from aurorasoc.llm.adoption.adopt import Stored
from aurorasoc.llm.adoption.stored import RuntimeConfig
from aurorasoc.llm.changes.plan import Change, Edited

_CONFIG = TypeAdapter(RuntimeConfig)


@dataclass(frozen=True, slots=True)
class Difference:
    """One field that a revision changed, e.g. `providers.deepseek.model`."""

    field: str
    before: Any
    after: Any


async def list_revisions(
    session: AsyncSession, *, before: int | None, limit: int
) -> list[dict[str, Any]]:
    """Give revisions, newest first."""
    query = select(RevisionRow).order_by(RevisionRow.revision.desc()).limit(limit)
    if before is not None:
        query = query.where(RevisionRow.revision < before)
    return [_header(row) for row in await session.scalars(query)]


async def read_revision(session: AsyncSession, revision: int) -> dict[str, Any]:
    """Give one revision with what it changed.

    Raises:
        NotFound: There is no such revision.
    """
    row = await _row(session, revision)
    previous = await session.get(RevisionRow, revision - 1)
    earlier = json.loads(previous.config) if previous else RuntimeConfig().as_json()
    return {**_header(row), "changes": list(differences(earlier, json.loads(row.config)))}


async def configuration_at(session: AsyncSession, revision: int) -> RuntimeConfig:
    """Give the runtime configuration that a revision was.

    Raises:
        NotFound: There is no such revision.
    """
    row = await _row(session, revision)
    return _CONFIG.validate_python(json.loads(row.config))


def rollback(earlier: RuntimeConfig) -> Change:
    """Make an earlier configuration the new one. Keys are not rolled back."""

    def edit(before: Stored) -> Edited:
        runtime = replace(earlier, revision=before.runtime.revision)
        return Edited(runtime, details={"to_revision": earlier.revision})

    return Change("llm.config.rolled_back", "llm", edit, check=_require_active_ready)


def differences(
    before: Mapping[str, Any], after: Mapping[str, Any], path: str = ""
) -> Iterator[Difference]:
    """Compare two configurations, field by field; the revision itself is no difference."""
    for name in sorted({*before, *after} - {"revision"}):
        old, new, place = before.get(name), after.get(name), f"{path}{name}"
        if isinstance(old, dict) or isinstance(new, dict):
            yield from differences(old or {}, new or {}, f"{place}.")
        elif old != new:
            yield Difference(place, old, new)


def _require_active_ready(candidate: Snapshot) -> None:
    requested = candidate.requested.value
    if requested != AUTO:
        require_ready(candidate.providers[ServingBackend(requested)])


async def _row(session: AsyncSession, revision: int) -> RevisionRow:
    row = await session.get(RevisionRow, revision)
    if row is None:
        detail = f"There is no revision {revision}. The history lists those there are."
        raise NotFound(detail)
    return row


def _header(row: RevisionRow) -> dict[str, Any]:
    return {
        "revision": row.revision,
        "at": iso(row.at_us),
        "actor": row.actor,
        "action": row.action,
        "target": row.target,
    }
