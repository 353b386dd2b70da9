"""`/investigations`: open one, follow it, read its report."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator
from dataclasses import dataclass
from time import monotonic
from typing import Annotated, ClassVar, Final

from fastapi import APIRouter, Depends, Path, Query, Request, Response, status
from pydantic import Field, StringConstraints

from aurorasoc.api.deps import Investigator, OpenRuntime
from aurorasoc.api.events import (
    STREAM_SECONDS,
    EventStream,
    documented_events,
    event,
)
from aurorasoc.api.problems import ProblemRoute, documented, problem_of
from aurorasoc.config.vocabulary import TlpLabel
from aurorasoc.core.bodies import DEFERRED, RequestBody
from aurorasoc.core.inbound.limits import CallerLimit
from aurorasoc.core.printable import one_line
from aurorasoc.errors import AuroraError
from aurorasoc.runtime import Runtime
from aurorasoc.workflows.investigation import store
from aurorasoc.workflows.investigation.alert import MAX_TITLE, AlertJson, parse_alert
from aurorasoc.workflows.investigation.runner import InvestigationRunner
from aurorasoc.workflows.investigation.view import (
    InvestigationView,
    StepView,
    SummaryView,
    look,
    summary_of,
)
from aurorasoc.workflows.investigation.vocabulary import State

router = APIRouter(prefix="/investigations", tags=["investigations"], route_class=ProblemRoute)

LOOK_SECONDS: Final = 0.5
"""Seconds between a stream's reads of the stored rows."""

_STREAMS: Final = CallerLimit(100, most_each=20)
_FINAL: Final = frozenset({"completed", "failed", "interrupted"})

Id = Annotated[
    str,
    Path(max_length=36, pattern="^[!-~]+$", examples=["5f0c9d0e-7a53-4d7e-9a55-8f5f6a3f2f11"]),
]


class InvestigationBody(RequestBody):
    """An alert to investigate."""

    alert: AlertJson = Field(
        description="Suricata EVE, an OCSF finding, another product's alert or any JSON object; or "
        "a list of those that belong together.",
        examples=[{"title": "Ten failed logins, then a success", "user": "alice", "host": "vpn-1"}],
    )
    tlp: TlpLabel | None = Field(None, description="TLP 2.0 label; it binds every step.")
    title: (
        Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_TITLE)]
        | None
    ) = Field(None, description="Instead of the alert's own.")

    def new(self, actor: str) -> store.NewInvestigation:
        """Return the investigation to store.

        Raises:
            InvalidInput: It can't be investigated.
        """
        alert = parse_alert(self.alert)
        title = one_line(self.title or "") or alert.title
        return store.NewInvestigation(alert, title, self.tlp, actor)


@dataclass(frozen=True, slots=True)
class Opened:
    """An accepted investigation, and its status."""

    __pydantic_config__: ClassVar = DEFERRED

    id: str
    status: State


@dataclass(frozen=True, slots=True)
class InvestigationPage:
    """Investigations, newest first. Pass `next_before` to get the next page; null means the end."""

    investigations: list[SummaryView]
    next_before: str | None


async def runner_of_app(request: Request) -> InvestigationRunner:
    """Return the runner that the app's lifespan opened."""
    runner: InvestigationRunner = request.app.state.aurorasoc_runner
    return runner


OpenRunner = Annotated[InvestigationRunner, Depends(runner_of_app)]

_PROBLEMS = documented(401, 403, 409, 422, 429, 503)
_EVENTS = documented_events("status", "step", "done", "error", example={"status": "running"})


@router.post("", status_code=status.HTTP_202_ACCEPTED, responses=_PROBLEMS)
async def open_investigation(
    body: InvestigationBody, caller: Investigator, runner: OpenRunner
) -> Opened:
    """Accept an alert. It is investigated in the background, when its turn comes."""
    return Opened(await runner.open(body.new(caller.subject)), "queued")


@router.get("", responses=documented(401, 403, 404, 422, 503))
async def list_investigations(
    caller: Investigator,
    runtime: OpenRuntime,
    before: Annotated[str | None, Query(max_length=36, pattern="^[!-~]+$")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> InvestigationPage:
    """List investigations, newest first; above AMBER only the caller's own, or all for admins."""
    async with runtime.database.reading() as session:
        rows = await store.page(session, store.Viewer.of(caller), before=before, limit=limit)
        now = await runtime.database.clock(session)
    return InvestigationPage(
        investigations=[summary_of(row, now) for row in rows],
        next_before=rows[-1].id if len(rows) == limit else None,
    )


@router.get("/{id}", responses=documented(401, 403, 404, 422, 503))
async def read_investigation(
    id: Id,  # noqa: A002 - the contract's name
    caller: Investigator,
    runtime: OpenRuntime,
) -> InvestigationView:
    """Return an investigation with its steps, during its run and afterwards."""
    return await look(runtime.database, id, store.Viewer.of(caller))


@router.get(
    "/{id}/events",
    responses={200: {"content": _EVENTS}, **documented(401, 403, 404, 422, 429, 503)},
    response_class=Response,
)
async def follow_investigation(
    id: Id,  # noqa: A002 - the contract's name
    caller: Investigator,
    runtime: OpenRuntime,
) -> EventStream:
    """Stream the current state, then each change, until the end. Any process can serve it.

    Events: `status` `{id, status}`, `step` (a step, as it is now), then `done` (the whole
    investigation), or `error` (a problem document). After ten minutes, or when the process stops,
    the stream ends without either; the caller may reconnect.
    """
    viewer = store.Viewer.of(caller)
    now = await look(runtime.database, id, viewer)  # a refusal gets a status code, not an event
    return EventStream(_changes(runtime, viewer, now), caller, _STREAMS)


@router.post(
    "/{id}/resume",
    status_code=status.HTTP_202_ACCEPTED,
    responses=documented(401, 403, 404, 409, 422, 429, 503),
)
async def resume_investigation(
    id: Id,  # noqa: A002 - the contract's name
    caller: Investigator,
    runner: OpenRunner,
) -> Opened:
    """Resume an interrupted or failed investigation. Finished steps are not repeated."""
    await runner.resume(id, store.Viewer.of(caller))
    return Opened(id, "queued")


async def _changes(
    runtime: Runtime, viewer: store.Viewer, now: InvestigationView
) -> AsyncGenerator[str]:
    """Yield the current state and each change."""
    shown: dict[object, object] = {}
    started = monotonic()
    try:
        while monotonic() - started < STREAM_SECONDS and not runtime.fleet.dismissed:
            for written in _news(now, shown):
                yield written
            if now.status in _FINAL:
                yield event("done", now)
                return
            await asyncio.sleep(LOOK_SECONDS)
            now = await look(runtime.database, now.id, viewer)
    except AuroraError as error:
        yield event("error", problem_of(error))


def _news(now: InvestigationView, shown: dict[object, object]) -> Iterator[str]:
    """Yield an event for each part that is new or has changed, and note it as shown."""
    for name, data in _parts(now):
        key = (name, data.position if isinstance(data, StepView) else None)
        if shown.get(key) != data:
            shown[key] = data
            yield event(name, data)


def _parts(now: InvestigationView) -> list[tuple[str, Opened | StepView]]:
    """Return all parts: the status precedes the steps, but a final status follows them."""
    status = ("status", Opened(now.id, now.status))
    steps = [("step", step) for step in now.steps]
    return [*steps, status] if now.status in _FINAL else [status, *steps]
