"""The rows of investigations: their visibility, state and leases.

Everything here runs in the caller's session and commits nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final, cast, get_args
from uuid import uuid4

from sqlalchemy import ColumnElement, func, or_, select, true, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import defer

from aurorasoc.config.vocabulary import Tlp
from aurorasoc.core.access.permissions import Permission
from aurorasoc.core.access.principal import Principal
from aurorasoc.core.canonical import canonical
from aurorasoc.core.database.tables import InvestigationRow, InvestigationStepRow
from aurorasoc.errors import Conflict, NotFound
from aurorasoc.workflows.investigation.alert import Alert
from aurorasoc.workflows.investigation.vocabulary import State

LEASE_SECONDS: Final = 20
"""How long a process that renews no lease still counts as alive."""

_MOST_STEPS: Final = 20
_MOST_NUMBERED: Final = 2**62
"""A higher number is no investigation's: nothing could follow it for long."""
_LEFT_OUT: Final = tuple(
    defer(column, raiseload=True)
    for column in (InvestigationRow.alert, InvestigationRow.report, InvestigationRow.failure)
)
"""What a list doesn't show, and takes most of the space."""

_OPEN_LABELS: Final = [label.value for label in Tlp if label.rank <= Tlp.AMBER.rank]


@dataclass(frozen=True, slots=True)
class Viewer:
    """A user who reads investigations: above AMBER only their own, or all as an admin."""

    subject: str
    sees_all: bool

    @classmethod
    def of(cls, principal: Principal) -> Viewer:
        """Return a principal as a viewer. Anyone who may manage users counts as an admin."""
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
        """The same condition, for a query."""
        if self.sees_all:
            return true()
        return or_(
            InvestigationRow.tlp.is_(None),
            InvestigationRow.tlp.in_(_OPEN_LABELS),
            InvestigationRow.created_by == self.subject,
        )


@dataclass(frozen=True, slots=True)
class NewInvestigation:
    """An alert to investigate, with its title, its label, and the user who asks."""

    alert: Alert
    title: str
    tlp: str | None
    actor: str


@dataclass(frozen=True, slots=True)
class Lease:
    """A process's lease of an investigation; each lease has its own token."""

    investigation: str
    token: str

    @classmethod
    def on(cls, investigation: str) -> Lease:
        """Return a new lease."""
        return cls(investigation, str(uuid4()))


def state_of(row: InvestigationRow, now_us: int) -> State:
    """Return the state; an unfinished investigation with an expired lease is interrupted."""
    if row.status in {"queued", "running"} and row.lease_until_us <= now_us:
        return "interrupted"
    return stated(row.status)


def stated(status: str) -> State:
    """Return a stored status; one that this service doesn't write counts as failed."""
    return cast("State", status) if status in get_args(State) else "failed"


def lease_end(now_us: int) -> int:
    """Return when a lease that is taken or renewed now expires."""
    return now_us + LEASE_SECONDS * 1_000_000


async def insert(session: AsyncSession, new: NewInvestigation, lease: Lease, now_us: int) -> None:
    """Add an investigation with its lease. The writer lock keeps `number` unique."""
    counted = InvestigationRow.number < _MOST_NUMBERED
    newest = await session.scalar(select(func.max(InvestigationRow.number)).where(counted))
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
    """Return one investigation.

    Raises:
        NotFound: It doesn't exist, or this viewer may not see it.
    """
    row = await session.get(InvestigationRow, id_)
    if row is None or not viewer.may_see(row):
        detail = "There is no such investigation, or you may not see it."
        raise NotFound(detail)
    return row


async def page(
    session: AsyncSession, viewer: Viewer, *, before: str | None, limit: int
) -> Sequence[InvestigationRow]:
    """Return investigations, newest first.

    Args:
        session: The caller's.
        viewer: Who reads them.
        before: The id of the previous page's last one; None for the first page.
        limit: How many at most.

    Raises:
        NotFound: `before` doesn't exist, or the viewer may not see it.
    """
    query = select(InvestigationRow).where(viewer.filter).options(*_LEFT_OUT)
    if before is not None:
        query = query.where(InvestigationRow.number < (await find(session, before, viewer)).number)
    rows = await session.scalars(query.order_by(InvestigationRow.number.desc()).limit(limit))
    return rows.all()


async def steps_of(session: AsyncSession, id_: str) -> Sequence[InvestigationStepRow]:
    """Return an investigation's steps, in their order; of more than it can have, the first."""
    query = select(InvestigationStepRow).where(InvestigationStepRow.investigation_id == id_)
    query = query.order_by(InvestigationStepRow.position).limit(_MOST_STEPS)
    return (await session.scalars(query)).all()


async def take(session: AsyncSession, row: InvestigationRow, lease: Lease, now_us: int) -> None:
    """Lease an investigation that was interrupted, or failed.

    Raises:
        Conflict: It is in another state, or somebody else was quicker.
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
    """Extend leases, or release them with a time in the past. Lost leases stay lost."""
    await session.execute(
        update(InvestigationRow)
        .where(
            InvestigationRow.lease.in_(tokens), InvestigationRow.status.in_(["queued", "running"])
        )
        .values(lease_until_us=until_us)
    )
