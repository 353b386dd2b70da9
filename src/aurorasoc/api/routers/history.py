"""`/system/llm/history` and `/system/llm/rollback`: what changed, and the way back."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import Field

from aurorasoc.api.changes import Verify
from aurorasoc.api.deps import AgentsReader, OpenRuntime, Terms, UserManager
from aurorasoc.api.problems import ProblemRoute, documented
from aurorasoc.core.bodies import RequestBody
from aurorasoc.llm.adoption.rows import MAX_REVISION
from aurorasoc.llm.changes.history import (
    HistoryPage,
    RevisionDetail,
    list_revisions,
    read_revision,
)
from aurorasoc.llm.changes.previews import RollbackPlan
from aurorasoc.llm.changes.requests import RollbackKey
from aurorasoc.llm.mutations import MutationAnswer

router = APIRouter(prefix="/system/llm", tags=["llm"], route_class=ProblemRoute)

RevisionNumber = Annotated[int, Path(ge=1, le=MAX_REVISION)]


class RollbackBody(RequestBody):
    """Which revision to go back to, and a key for the address that a connection goes back to."""

    revision: int = Field(ge=1, le=MAX_REVISION)
    key: RollbackKey | None = None


@router.get("/history", responses=documented(401, 403, 422, 503))
async def read_history(
    _caller: AgentsReader,
    runtime: OpenRuntime,
    before: Annotated[int | None, Query(ge=1, le=MAX_REVISION)] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> HistoryPage:
    """List revisions, newest first."""
    async with runtime.database.reading() as session:
        return await list_revisions(session, before=before, limit=limit)


@router.get("/history/{revision}", responses=documented(401, 403, 404, 422, 503))
async def read_one(
    _caller: AgentsReader, runtime: OpenRuntime, revision: RevisionNumber
) -> RevisionDetail:
    """Show what one revision changed."""
    async with runtime.database.reading() as session:
        return await read_revision(session, revision)


@router.get("/history/{revision}/rollback", responses=documented(401, 403, 404, 409, 422, 503))
async def plan_rollback(
    _caller: AgentsReader, runtime: OpenRuntime, revision: RevisionNumber
) -> RollbackPlan:
    """Show what a rollback would change of what is in force, and which keys it would need."""
    return await runtime.admin.plan_rollback(revision)


@router.post("/rollback", responses=documented(401, 403, 404, 409, 412, 422, 429, 502, 503, 504))
async def roll_back(
    body: RollbackBody, caller: UserManager, runtime: OpenRuntime, terms: Terms, verify: Verify
) -> MutationAnswer:
    """Restore an earlier configuration, as a new revision. Keys are not rolled back.

    With a key, it is stored for the address that its connection goes back to.
    """
    changed = await runtime.admin.rollback(
        body.revision,
        actor=caller.subject,
        if_match=terms.if_match,
        verify=verify,
        key=body.key,
    )
    return await terms.answer(runtime, changed)
