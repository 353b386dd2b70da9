"""How stored investigations are shown."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from aurorasoc.core.clock import iso
from aurorasoc.core.database.engine import Database
from aurorasoc.core.database.tables import InvestigationRow, InvestigationStepRow
from aurorasoc.workflows.investigation.store import Viewer, find, state_of, steps_of
from aurorasoc.workflows.investigation.vocabulary import State


async def look(database: Database, id_: str, viewer: Viewer) -> dict[str, Any]:
    """Show an investigation as it is now.

    Raises:
        NotFound: There is none, or not for this viewer.
        DatabaseUnavailable: The database doesn't answer.
    """
    async with database.reading() as session:
        row = await find(session, id_, viewer)
        return detail_of(row, await steps_of(session, id_), await database.clock(session))


def summary_of(row: InvestigationRow, now_us: int) -> dict[str, Any]:
    """Show an investigation as a line of a list."""
    return {
        "id": row.id,
        "status": state_of(row, now_us),
        "title": row.title,
        "tlp": row.tlp,
        "created_by": row.created_by,
        "created_at": iso(row.created_us),
        "finished_at": iso(row.finished_us),
    }


def detail_of(
    row: InvestigationRow, steps: Sequence[InvestigationStepRow], now_us: int
) -> dict[str, Any]:
    """Show an investigation with its alert, steps and report."""
    summary = summary_of(row, now_us)
    return {
        **summary,
        "alert": json.loads(row.alert),
        "report": _read(row.report),
        "failure": _read(row.failure),
        "steps": [step_view(step, summary["status"]) for step in steps],
    }


def step_view(step: InvestigationStepRow, state: State) -> dict[str, Any]:
    """Show a step. One that was under way when its process ended is interrupted, too."""
    stopped = step.status == "running" and state != "running"
    return {
        "position": step.position,
        "kind": step.kind,
        "agent": step.agent,
        "question": step.question,
        "why": step.why,
        "status": "interrupted" if stopped else step.status,
        "provider": step.provider,
        "model": step.model,
        "revision": step.revision,
        "tlp": step.tlp,
        "usage": _read(step.usage),
        "result": _read(step.result),
        "failure": _read(step.failure),
        "started_at": iso(step.started_us),
        "finished_at": iso(step.finished_us),
    }


def _read(text: str | None) -> Any:  # noqa: ANN401 - any JSON value
    return None if text is None else json.loads(text)
