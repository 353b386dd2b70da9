"""An investigation that this process has leased: each write checks the lease first."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy.ext.asyncio import AsyncSession

from aurorasoc.core.canonical import canonical
from aurorasoc.core.clock import Clock, now_us
from aurorasoc.core.database.engine import Database
from aurorasoc.core.database.tables import InvestigationRow, InvestigationStepRow
from aurorasoc.errors import Attempt, AuroraError
from aurorasoc.workflows.investigation.store import Lease, steps_of
from aurorasoc.workflows.investigation.view import ATTEMPTS, Failure, Report
from aurorasoc.workflows.investigation.vocabulary import StepKind

if TYPE_CHECKING:
    from aurorasoc.workflows.investigation.structured import Provenance


class LeaseLost(Exception):
    """Another process has taken the investigation: nothing more may be written here."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step to work on.

    Attributes:
        position: Its place: the plan is 0.
        kind: Its purpose.
        agent: The agent that works on it.
        question: What the plan asks of a specialist.
        why: The plan's reason.
    """

    position: int
    kind: StepKind
    agent: str
    question: str | None = None
    why: str | None = None


@dataclass(frozen=True, slots=True)
class ResumeState:
    """The stored state of an investigation when it begins or resumes.

    Attributes:
        alert: As it was stored.
        tlp: The label that binds all steps.
        created_by: Who created it.
        results: The results of finished steps, by position.
    """

    alert: Any
    tlp: str | None
    created_by: str
    results: Mapping[int, str]


class LeasedInvestigation:
    """Records an investigation's progress while the lease is held.

    Args:
        database: Where it is stored.
        lease: This process's lease.
        clock: Returns the time of a step.
    """

    def __init__(self, database: Database, lease: Lease, clock: Clock = now_us) -> None:
        self.id = lease.investigation
        self._database = database
        self._lease = lease
        self._clock = clock

    async def begin(self) -> ResumeState:
        """Mark it as running, and return its stored state.

        Raises:
            LeaseLost: Another process has it.
            DatabaseUnavailable: The database doesn't answer.
        """
        async with self._writing() as (session, row):
            row.status = "running"
            steps = await steps_of(session, self.id)
            results = {s.position: s.result for s in steps if s.result is not None}
            return ResumeState(json.loads(row.alert), row.tlp, row.created_by, results)

    async def announce(self, steps: list[Step]) -> None:
        """Store the steps to come; existing ones stay.

        Raises:
            LeaseLost, DatabaseUnavailable: As `begin`.
        """
        async with self._writing() as (session, row):
            for step in steps:
                await _row_of(session, row, step)

    async def started(self, step: Step, provenance: Provenance) -> None:
        """Record that a step has started, and on which model.

        Raises:
            LeaseLost, DatabaseUnavailable: As `begin`.
        """
        async with self._writing() as (session, row):
            stored = await _row_of(session, row, step)
            stored.status, stored.started_us = "running", self._clock()
            stored.finished_us = stored.failure = stored.usage = None
            _sign(stored, provenance)

    async def finished(
        self, step: Step, provenance: Provenance, usage: Mapping[str, int] | None, result: str
    ) -> None:
        """Store a step's result, as JSON, and the model that gave it.

        Raises:
            LeaseLost, DatabaseUnavailable: As `begin`.
        """
        async with self._writing() as (session, row):
            stored = await _row_of(session, row, step)
            stored.status, stored.result, stored.finished_us = "completed", result, self._clock()
            stored.usage = None if usage is None else canonical(usage)
            _sign(stored, provenance)

    async def failed(
        self, step: Step, error: AuroraError, attempts: Sequence[Attempt] = ()
    ) -> None:
        """Record why a step failed, and who was asked, where that was more than one.

        Raises:
            LeaseLost, DatabaseUnavailable: As `begin`.
        """
        async with self._writing() as (session, row):
            stored = await _row_of(session, row, step)
            stored.status, stored.finished_us = "failed", self._clock()
            stored.failure = canonical(_failure(error, attempts))

    async def conclude(self, report: Report) -> None:
        """Store the report, and mark the investigation as completed.

        Raises:
            LeaseLost, DatabaseUnavailable: As `begin`.
        """
        async with self._writing() as (_, row):
            row.status, row.report, row.finished_us = (
                "completed",
                canonical(asdict(report)),
                self._clock(),
            )

    async def give_up(self, error: AuroraError) -> None:
        """Record why there is no report, and mark the investigation as failed.

        Raises:
            LeaseLost, DatabaseUnavailable: As `begin`.
        """
        async with self._writing() as (_, row):
            row.status, row.finished_us = "failed", self._clock()
            row.failure = canonical(_failure(error, ()))

    @asynccontextmanager
    async def _writing(self) -> AsyncIterator[tuple[AsyncSession, InvestigationRow]]:
        async with self._database.transaction() as session:
            row = await session.get(InvestigationRow, self.id)
            if row is None or row.lease != self._lease.token:
                raise LeaseLost
            yield session, row


async def _row_of(session: AsyncSession, row: InvestigationRow, step: Step) -> InvestigationStepRow:
    """Return a step's row; add it if it doesn't exist."""
    stored = await session.get(InvestigationStepRow, (row.id, step.position))
    if stored is None:
        stored = InvestigationStepRow(
            investigation_id=row.id,
            position=step.position,
            kind=step.kind,
            agent=step.agent,
            question=step.question,
            why=step.why,
            status="queued",
            tlp=row.tlp,
        )
        session.add(stored)
    return stored


def _failure(error: AuroraError, attempts: Sequence[Attempt]) -> dict[str, Any]:
    failure = asdict(Failure(error.code, error.detail))
    return failure | {ATTEMPTS: [asdict(one) for one in attempts]} if attempts else failure


def _sign(stored: InvestigationStepRow, provenance: Provenance) -> None:
    stored.connection, stored.provider = provenance.connection, provenance.provider
    stored.model, stored.revision = provenance.model, provenance.revision
