"""`/audit`: who did what, newest first."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query

from aurorasoc.api.deps import AuditReader, OpenRuntime
from aurorasoc.api.problems import ProblemRoute, documented
from aurorasoc.api.schemas import AuditPage
from aurorasoc.core.audit.query import AuditFilter, find_entries
from aurorasoc.core.clock import iso

router = APIRouter(tags=["audit"], route_class=ProblemRoute)


@router.get("/audit", response_model=AuditPage, responses=documented(401, 403, 422, 503))
async def read_audit(
    _caller: AuditReader, runtime: OpenRuntime, requested: Annotated[AuditFilter, Query()]
) -> dict[str, Any]:
    """List entries, newest first, filtered by actor, action and time."""
    async with runtime.database.reading() as session:
        rows = await find_entries(session, requested)
    entries = [
        {
            "seq": row.seq,
            "at": iso(row.at_us),
            "actor": row.actor,
            "action": row.action,
            "target": row.target,
            "details": row.details or {},
            "readable": row.details is not None,
            "hash": row.hash,
        }
        for row in rows
    ]
    more = len(entries) == requested.limit
    return {"entries": entries, "next_before": entries[-1]["seq"] if more else None}
