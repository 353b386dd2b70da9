"""Stored investigations as they are shown: frozen values, which are also the response models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Final, TypeVar, cast, get_args

from pydantic import Field, TypeAdapter

from aurorasoc.core import foreign_json
from aurorasoc.core.bodies import DEFERRED
from aurorasoc.core.clock import iso
from aurorasoc.core.database.engine import Database
from aurorasoc.core.database.tables import InvestigationRow, InvestigationStepRow
from aurorasoc.errors import Attempt
from aurorasoc.workflows.investigation.alert import AlertJson, is_shallow
from aurorasoc.workflows.investigation.attack import Technique
from aurorasoc.workflows.investigation.store import (
    Viewer,
    find,
    state_of,
    stated,
    steps_of,
)
from aurorasoc.workflows.investigation.vocabulary import Severity, State, StepKind, Verdict

ATTEMPTS: Final = "attempts"
"""Where a step's stored result or failure names who was asked."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a step, or the investigation, failed."""

    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class StepView:
    """One step: its agent, its question, the model that answered, and the result.

    Attributes:
        attempts: Everyone who was asked, in order, where the first one didn't answer.
    """

    position: int
    kind: StepKind
    agent: str
    question: str | None
    why: str | None
    status: State
    connection: str | None
    provider: str | None
    model: str | None
    revision: int | None
    tlp: str | None
    usage: dict[str, int] | None
    result: dict[str, Any] | None
    failure: Failure | None
    started_at: str | None
    finished_at: str | None
    attempts: tuple[Attempt, ...] = ()


@dataclass(frozen=True, slots=True)
class FindingView:
    """A statement, and the evidence that it rests on."""

    title: str
    evidence: str
    quoted: Annotated[bool, Field(description="Whether the alert contains these words.")]


@dataclass(frozen=True, slots=True)
class GapView:
    """A specialist that failed."""

    agent: str
    code: str


@dataclass(frozen=True, slots=True)
class Report:
    """The conclusion of an investigation."""

    __pydantic_config__: ClassVar = DEFERRED

    verdict: Verdict
    severity: Severity
    confidence: Annotated[int, Field(ge=0, le=100, description="Percent, as the model says.")]
    techniques: list[Technique]
    unknown_techniques: Annotated[list[str], Field(description="Ids that ATT&CK doesn't have.")]
    findings: list[FindingView]
    recommended_actions: list[str]
    failed_specialists: list[GapView]
    evidence_left_out: Annotated[
        int,
        Field(
            description="Characters at the alert's end that were not shown to at least one model, "
            "because its context window or the limit of a prompt is smaller."
        ),
    ] = 0


@dataclass(frozen=True, slots=True)
class SummaryView:
    """An investigation in a list."""

    id: str
    status: State
    title: str
    tlp: str | None
    created_by: str
    created_at: str
    finished_at: str | None


@dataclass(frozen=True, slots=True)
class InvestigationView(SummaryView):
    """An investigation with everything that is stored so far."""

    __pydantic_config__: ClassVar = DEFERRED

    alert: AlertJson
    report: Report | None
    failure: Failure | None
    steps: list[StepView]


_ALERT: TypeAdapter[AlertJson] = TypeAdapter(AlertJson)
_FAILURE, _REPORT = TypeAdapter(Failure), TypeAdapter(Report)
_ATTEMPTS: TypeAdapter[tuple[Attempt, ...]] = TypeAdapter(tuple[Attempt, ...])
_USAGE, _RESULT = TypeAdapter(dict[str, int]), TypeAdapter(dict[str, Any])


_UNREADABLE: Final = Failure(
    "unreadable", "The stored row can't be read. This service didn't write it."
)


async def look(database: Database, id_: str, viewer: Viewer) -> InvestigationView:
    """Read an investigation as it is now.

    Raises:
        NotFound: It doesn't exist, or this viewer may not see it.
        DatabaseUnavailable: The database doesn't answer.
    """
    async with database.reading() as session:
        row = await find(session, id_, viewer)
        return detail_of(row, await steps_of(session, id_), await database.clock(session))


def summary_of(row: InvestigationRow, now_us: int) -> SummaryView:
    """Return an investigation as a line of a list."""
    return SummaryView(
        id=row.id,
        status=state_of(row, now_us),
        title=row.title,
        tlp=row.tlp,
        created_by=row.created_by,
        created_at=iso(row.created_us),
        finished_at=iso(row.finished_us),
    )


def detail_of(
    row: InvestigationRow, steps: Sequence[InvestigationStepRow], now_us: int
) -> InvestigationView:
    """Return an investigation with its alert, steps and report."""
    state = state_of(row, now_us)
    alert = _read(_ALERT, row.alert)
    return InvestigationView(
        id=row.id,
        status=state,
        title=row.title,
        tlp=row.tlp,
        created_by=row.created_by,
        created_at=iso(row.created_us),
        finished_at=iso(row.finished_us),
        alert={} if alert is None else alert,
        report=_read(_REPORT, row.report),
        failure=_UNREADABLE if alert is None else _failure(row),
        steps=[step_view(step, state) for step in steps],
    )


def step_view(step: InvestigationStepRow, state: State) -> StepView:
    """Return a step. One that was running when its process ended is interrupted, too."""
    stopped = step.status == "running" and state != "running"
    result = _read(_RESULT, step.result)
    details = (_read(_RESULT, step.failure) if result is None else result) or {}
    attempts = _attempts(details.pop(ATTEMPTS, []))
    return StepView(
        position=step.position,
        kind=cast("StepKind", step.kind) if step.kind in get_args(StepKind) else "specialist",
        agent=step.agent,
        question=step.question,
        why=step.why,
        status="interrupted" if stopped else stated(step.status),
        connection=step.connection or step.provider,
        provider=step.provider,
        model=step.model,
        revision=step.revision,
        tlp=step.tlp,
        usage=_read(_USAGE, step.usage),
        result=result,
        failure=_failure(step),
        started_at=iso(step.started_us),
        finished_at=iso(step.finished_us),
        attempts=attempts,
    )


def _attempts(stored: object) -> tuple[Attempt, ...]:
    """Read who was asked; nobody is named by what this service can't have written."""
    try:
        return _ATTEMPTS.validate_python(stored)
    except ValueError:
        return ()


def _failure(row: InvestigationRow | InvestigationStepRow) -> Failure | None:
    """Return why it failed, and that this service didn't write it if that can't be read."""
    if row.failure is None:
        return None if row.status in get_args(State) else _UNREADABLE
    return _read(_FAILURE, row.failure) or _UNREADABLE


def _read(adapter: TypeAdapter[T], text: str | None) -> T | None:
    """Read a column; None if there is nothing, or what this service can't have written."""
    if text is None:
        return None
    try:
        fields = foreign_json.parsed_strictly(text)
        return adapter.validate_python(fields) if is_shallow(fields) else None
    except ValueError:  # ValidationError is one
        return None
