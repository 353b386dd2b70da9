"""`/usage`: how much was used, by whom, and what it cost."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from aurorasoc.api.deps import AgentsReader, OpenRuntime
from aurorasoc.api.problems import ProblemRoute, documented
from aurorasoc.config.usage import Bucket, By
from aurorasoc.core.clock import iso
from aurorasoc.llm.usage.report import UsageLine, lines_between
from aurorasoc.llm.usage.span import span_of

router = APIRouter(tags=["usage"], route_class=ProblemRoute)

_TIME = "A date, or a time; UTC without a zone."


class UsageReport(BaseModel):
    """What was used between two times."""

    from_: str = Field(serialization_alias="from")
    to: str
    rows: list[UsageLine]


@router.get("/usage", response_model=UsageReport, responses=documented(401, 403, 422, 503))
async def read_usage(
    _caller: AgentsReader,
    runtime: OpenRuntime,
    start: Annotated[
        str | None, Query(alias="from", max_length=40, description=f"{_TIME} 30 days before `to`.")
    ] = None,
    to: Annotated[str | None, Query(max_length=40, description=f"{_TIME} Now.")] = None,
    by: Annotated[By, Query(description="What to tell apart.")] = "connection",
    bucket: Annotated[Bucket, Query(description="Sums of each hour or day (UTC).")] = "day",
) -> UsageReport:
    """Sum up calls, tokens and cost. What nobody counted or priced is null."""
    from_us, to_us = span_of(start, to)
    rows = await lines_between(runtime.database, from_us, to_us, by, bucket)
    return UsageReport(from_=iso(from_us), to=iso(to_us), rows=rows)
