"""`/system/llm/history` and `/system/llm/rollback`: what changed, and the way back."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict, Field

from aurorasoc.api.deps import AgentsReader, OpenRuntime, Terms, UserManager
from aurorasoc.api.problems import ProblemRoute, documented
from aurorasoc.api.schemas import MutationAnswer
from aurorasoc.llm.changes.history import list_revisions, read_revision

router = APIRouter(prefix="/system/llm", tags=["llm"], route_class=ProblemRoute)

MAX_REVISION = 2**62
Revision = Annotated[int, Path(ge=1, le=MAX_REVISION)]


class RevisionView(BaseModel):
    """Who made a revision, and when."""

    revision: int
    at: str
    actor: str
    action: str
    target: str


class HistoryPage(BaseModel):
    """Revisions, newest first. `next_before` gives the page that follows; null is the end."""

    revisions: list[RevisionView]
    next_before: int | None


class DifferenceView(BaseModel):
    """One field that was changed. Null is the boot default."""

    field: str = Field(examples=["providers.deepseek.model"])
    before: str | bool | None
    after: str | bool | None


class RevisionDetail(RevisionView):
    """A revision and what it changed, against the one before it. A key change shows no field."""

    changes: list[DifferenceView]


class RollbackBody(BaseModel):
    """Which revision to go back to."""

    model_config = ConfigDict(extra="forbid")

    revision: int = Field(ge=1, le=MAX_REVISION)


@router.get("/history", response_model=HistoryPage, responses=documented(401, 403, 422, 503))
async def read_history(
    _caller: AgentsReader,
    runtime: OpenRuntime,
    before: Annotated[int | None, Query(ge=1, le=MAX_REVISION)] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> dict[str, Any]:
    """List revisions, newest first."""
    async with runtime.database.reading() as session:
        found = await list_revisions(session, before=before, limit=limit)
    more = len(found) == limit
    return {"revisions": found, "next_before": found[-1]["revision"] if more else None}


@router.get(
    "/history/{revision}",
    response_model=RevisionDetail,
    responses=documented(401, 403, 404, 422, 503),
)
async def read_one(
    _caller: AgentsReader, runtime: OpenRuntime, revision: Revision
) -> dict[str, Any]:
    """Show what one revision changed."""
    async with runtime.database.reading() as session:
        return await read_revision(session, revision)


@router.post(
    "/rollback",
    response_model=MutationAnswer,
    responses=documented(401, 403, 404, 409, 412, 422, 503),
)
async def roll_back(
    body: RollbackBody, caller: UserManager, runtime: OpenRuntime, terms: Terms
) -> dict[str, Any]:
    """Make an earlier configuration the new one, as a new revision. Keys are not rolled back."""
    changed = await runtime.admin.rollback(
        body.revision, actor=caller.subject, if_match=terms.if_match
    )
    return await terms.answer(runtime, changed)
