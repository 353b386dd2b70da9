"""`/system/llm/caller`: who calls, so that a page offers only what they may do."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel

from aurorasoc.api.deps import AgentsReader
from aurorasoc.api.problems import ProblemRoute, documented
from aurorasoc.core.access.permissions import Permission

router = APIRouter(prefix="/system/llm", tags=["llm"], route_class=ProblemRoute)


class CallerView(BaseModel):
    """An authenticated caller."""

    subject: str
    permissions: list[Permission]


@router.get("/caller", response_model=CallerView, responses=documented(401, 403, 503))
async def read_caller(caller: AgentsReader) -> CallerView:
    """Return the caller and their permissions."""
    return CallerView(subject=caller.subject, permissions=sorted(caller.permissions))
