"""`/system/llm/fleet`: which process runs which revision, once or as a stream."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import suppress
from typing import Final

from fastapi import APIRouter, Response

from aurorasoc.api.deps import AgentsReader, OpenRuntime
from aurorasoc.api.events import (
    STREAM_SECONDS,
    EventStream,
    documented_events,
    event,
)
from aurorasoc.api.problems import ProblemRoute, documented
from aurorasoc.core.inbound.limits import CallerLimit
from aurorasoc.llm.fleet.registry import Fleet, FleetView

router = APIRouter(prefix="/system/llm", tags=["llm"], route_class=ProblemRoute)

_EXAMPLE: Final = {"revision": 7, "instances": []}
_STREAMS: Final = CallerLimit(100, most_each=20)


@router.get("/fleet", responses=documented(401, 403, 503))
async def read_fleet(_caller: AgentsReader, runtime: OpenRuntime) -> FleetView:
    """List all live processes, and which revision each runs."""
    return await runtime.fleet.look()


@router.get(
    "/fleet/events",
    response_class=Response,
    responses={
        200: {"content": documented_events("fleet", "error", example=_EXAMPLE)},
        **documented(401, 403, 429, 503),
    },
)
async def follow_fleet(caller: AgentsReader, runtime: OpenRuntime) -> EventStream:
    """Send the same document as an event `fleet`: at once, and after each change.

    The stream ends after ten minutes; the caller may reconnect.
    """
    await runtime.fleet.look()  # a failure gets a status code, not an event in the stream
    return EventStream(_events(runtime.fleet), caller, _STREAMS)


async def _events(fleet: Fleet) -> AsyncGenerator[str]:
    ends, view = asyncio.get_running_loop().time() + STREAM_SECONDS, None
    with fleet.watching(), suppress(TimeoutError):
        while True:
            async with asyncio.timeout_at(ends):
                view = await fleet.after(view)
            if view is None:
                return
            yield event("fleet", view)
