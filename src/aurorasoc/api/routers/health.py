"""`/healthz`, `/readyz`, `/metrics`: no prefix, no permission, nothing secret."""

from __future__ import annotations

from fastapi import APIRouter, Response

from aurorasoc.api.problems import ProblemRoute, documented
from aurorasoc.runtime import current_runtime

router = APIRouter(tags=["health"], route_class=ProblemRoute)


@router.get("/healthz")
async def healthz() -> dict[str, str]:
    """Say that the process answers."""
    return {"status": "ok"}


@router.get("/readyz", responses=documented(503))
async def readyz() -> dict[str, str | int]:
    """Say that a configuration is in force. Stays 200 while the database doesn't answer."""
    snapshot = current_runtime().adoption.snapshot
    return {"status": "ready", "revision": snapshot.revision}


@router.get("/metrics", response_class=Response)
async def metrics() -> Response:
    """Return the metrics in Prometheus's text format."""
    from aurorasoc.api.metrics import CONTENT_TYPE, render  # noqa: PLC0415 - 20 ms, when scraped

    return Response(await render(), media_type=CONTENT_TYPE)
