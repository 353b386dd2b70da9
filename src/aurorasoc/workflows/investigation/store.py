"""The rows of investigations: who may see them, in which state they are, who holds them.

Everything here runs in the caller's session and commits nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import uuid4

from sqlalchemy import ColumnElement, func, or_, select, true, update
from sqlalchemy.ext.asyncio import AsyncSession

from aurorasoc.config.vocabulary import Tlp
from aurorasoc.core.access.permissions import Permission
from aurorasoc.core.access.principal import Principal
from aurorasoc.core.canonical import canonical
from aurorasoc.core.database.tables import InvestigationRow, InvestigationStepRow
from aurorasoc.errors import Conflict, NotFound
from aurorasoc.workflows.investigation.alert import Alert
from aurorasoc.workflows.investigation.vocabulary import State

LEASE_SECONDS: Final = 20
"""How long a process that says nothing more still counts as alive."""

_OPEN_LABELS: Final = [label.value for label in Tlp if label.rank <= Tlp.AMBER.rank]


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who looks: above AMBER one sees one's own, or all as an admin."""

    subject: str
    sees_all: bool

    @classmethod
    def of(cls, principal: Principal) -> Viewer:
        """Make one of a principal. Whoever may manage users counts as an admin."""
        return cls(principal.subject, principal.may(Permission.USERS_MANAGE))

    def may_see(self, row: InvestigationRow) -> bool:
        """Whether an investigation exists for this viewer."""
        return (
            self.sees_all
            or row.tlp is None
            or row.tlp in _OPEN_LABELS
            or row.created_by == self.subject
        )

    @property
    def filter(self) -> ColumnElement[bool]:
        """The same, for a query."""
        if self.sees_all:
            return true()
        return or_(
            InvestigationRow.tlp.is_(None),
            InvestigationRow.tlp.in_(_OPEN_LABELS),
            InvestigationRow.created_by == self.subject,
        )


@dataclass(frozen=True, slots=True)
class NewInvestigation:
    """What is to be investigated, for whom, under which label."""

    alert: Alert
    title: str
    tlp: str | None
    actor: str


@dataclass(frozen=True, slots=True)
class Lease:
    """A process's hold on an investigation; each taking of it has a token of its own."""

    investigation: str
    token: str

    @classmethod
    def on(cls, investigation: str) -> Lease:
        """Make a new one."""
        return cls(investigation, str(uuid4()))


def state_of(row: InvestigationRow, now_us: int) -> State:
    """Give the state. Interrupted is what its process no longer holds."""
    unfinished = row.status in {"queued", "running"}
    expired = row.lease_until_us <= now_us
    state: State = "interrupted" if unfinished and expired else row.status  # type: ignore[assignment]  # what we wrote
    return state


def lease_end(now_us: int) -> int:
    """When a lease that is taken or renewed now expires."""
    return now_us + LEASE_SECONDS * 1_000_000


async def insert(session: AsyncSession, new: NewInvestigation, lease: Lease, now_us: int) -> None:
    """Add an investigation that a process holds already. The writer lock keeps `number` unique."""
    newest = await session.scalar(select(func.max(InvestigationRow.number)))
    session.add(
        InvestigationRow(
            id=lease.investigation,
            number=(newest or 0) + 1,
            created_us=now_us,
            created_by=new.actor,
            title=new.title,
            tlp=new.tlp,
            alert=canonical(new.alert.document),
            status="queued",
            lease=lease.token,
            lease_until_us=lease_end(now_us),
        )
    )
    await session.flush()


async def find(session: AsyncSession, id_: str, viewer: Viewer) -> InvestigationRow:
    """Give one investigation.

    Raises:
        NotFound: There is none, or not for this viewer.
    """
    row = await session.get(InvestigationRow, id_)
    if row is None or not viewer.may_see(row):
        detail = "There is no such investigation, or you may not see it."
        raise NotFound(detail)
    return row


async def page(
    session: AsyncSession, viewer: Viewer, *, before: str | None, limit: int
) -> Sequence[InvestigationRow]:
    """Give investigations, newest first.

    Args:
        session: The caller's.
        viewer: Who looks.
        before: The last one of the page that was read; None begins.
        limit: How many at most.

    Raises:
        NotFound: `before` is none that the viewer sees.
    """
    query = select(InvestigationRow).where(viewer.filter)
    if before is not None:
        query = query.where(InvestigationRow.number < (await find(session, before, viewer)).number)
    found = await session.scalars(query.order_by(InvestigationRow.number.desc()).limit(limit))
    return found.all()


async def steps_of(session: AsyncSession, id_: str) -> Sequence[InvestigationStepRow]:
    """Give an investigation's steps, in their order."""
    query = select(InvestigationStepRow).where(InvestigationStepRow.investigation_id == id_)
    return (await session.scalars(query.order_by(InvestigationStepRow.position))).all()


async def take(session: AsyncSession, row: InvestigationRow, lease: Lease, now_us: int) -> None:
    """Take hold of an investigation that was interrupted, or failed.

    Raises:
        Conflict: It wasn't, or somebody else was quicker.
    """
    state = state_of(row, now_us)
    if state not in {"interrupted", "failed"}:
        detail = f"This investigation is {state}. Only an interrupted or failed one is resumed."
        raise Conflict(detail)
    taken = await session.execute(
        update(InvestigationRow)
        .where(InvestigationRow.id == row.id, InvestigationRow.lease == row.lease)
        .values(
            status="queued",
            lease=lease.token,
            lease_until_us=lease_end(now_us),
            failure=None,
            finished_us=None,
        )
        .returning(InvestigationRow.id)
    )
    if taken.scalar() is None:
        detail = "Somebody else resumed this investigation just now."
        raise Conflict(detail)


async def renew(session: AsyncSession, tokens: Collection[str], until_us: int) -> None:
    """Prolong leases, or with a time that is past, release them. Those that were lost stay lost."""
    await session.execute(
        update(InvestigationRow)
        .where(
            InvestigationRow.lease.in_(tokens), InvestigationRow.status.in_(["queued", "running"])
        )
        .values(lease_until_us=until_us)
    )
