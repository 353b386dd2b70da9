"""The app, and the routers that a host platform includes in its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

from fastapi import FastAPI, Request, Response
from fastapi.telemetry import TelemetryConfig
from starlette.exceptions import HTTPException

from aurorasoc.api.deps import authenticated
from aurorasoc.api.door.errors import no_route_response
from aurorasoc.api.problems import API_PREFIX, http_response
from aurorasoc.api.routers import audit as audit_routes
from aurorasoc.api.routers import (
    budgets,
    caller,
    chat,
    clients,
    connections,
    door,
    fleet,
    health,
    history,
    investigations,
    llm_providers,
    usage,
)
from aurorasoc.config.settings import Settings, load_settings
from aurorasoc.core.audit.log import AuditSink
from aurorasoc.core.inbound.origins import HostGuard
from aurorasoc.core.logs import guard_libraries
from aurorasoc.core.tasks import end
from aurorasoc.core.telemetry.requests import RequestSpans
from aurorasoc.runtime import open_runtime
from aurorasoc.web.settings_page import include_settings_page, lead_to_settings_page
from aurorasoc.workflows.investigation.runner import open_runner

WARM_UP_AFTER: Final = 1.0
"""Seconds after start-up, so that the API is ready first."""

_NO_TELEMETRY_OF_ITS_OWN: Final[TelemetryConfig] = {
    "auto_configure": False,
    "logs": False,
    "metrics": False,
    "operation_spans": False,
    "tracing": False,
}
"""FastAPI's own would export paths, queries and the texts of errors."""


def create_app(settings: Settings | None = None) -> FastAPI:
    """Return the service's own app.

    It has no interactive documentation pages: they fetch their scripts from other hosts.

    Args:
        settings: None reads the environment, as `serve` does.
    """
    used = settings or load_settings(secrets_file=False)

    app = FastAPI(
        title="aurorasoc",
        summary="Run a SOC's AI agents on local or hosted models, and switch while they work.",
        version="0.1.0",
        docs_url=None,
        redoc_url=None,
        telemetry=_NO_TELEMETRY_OF_ITS_OWN,
        redirect_slashes=False,  # the redirect would be built on the request's Host
    )
    app.add_exception_handler(HTTPException, _refused)
    app.add_middleware(HostGuard, hosts=(used.server.host,), public=used.server.public_hosts)
    app.add_middleware(RequestSpans, prefix=API_PREFIX)  # outermost: refusals are requests
    include_routers(app, settings=used)
    include_settings_page(app)
    lead_to_settings_page(app)
    return app


def include_routers(
    app: FastAPI,
    *,
    principal: Callable[..., Any] | None = None,
    audit: AuditSink | None = None,
    settings: Settings | None = None,
) -> None:
    """Include all routers in an app, and open the runtime for as long as the app runs.

    Args:
        app: Ours, or a host platform's. Its own lifespan runs around ours.
        principal: A FastAPI dependency that returns the caller as a
            `aurorasoc.core.access.principal.Principal`; None reads our bearer tokens.
        audit: Where audit entries go; None means our own log.
        settings: None reads the environment.
    """
    if principal is not None:
        app.dependency_overrides[authenticated] = principal
    # Routes are tried in this order, and a router's are built when it is first asked: probes, which
    # a start waits for, come first and ask for theirs alone; then chat, which is called most.
    app.include_router(health.router)
    surfaces = (
        chat,
        llm_providers,
        connections,
        budgets,
        clients,
        caller,
        fleet,
        history,
        investigations,
        audit_routes,
        usage,
    )
    for module in surfaces:
        app.include_router(module.router, prefix=API_PREFIX)
    app.include_router(door.router)
    outer = app.router.lifespan_context

    @asynccontextmanager
    async def lifespan(running: FastAPI) -> AsyncIterator[Any]:
        async with outer(running) as state, _running(running, settings, audit):
            yield state

    app.router.lifespan_context = lifespan


@asynccontextmanager
async def _running(
    app: FastAPI, settings: Settings | None, audit: AuditSink | None
) -> AsyncIterator[None]:
    """Open the runtime and the investigation runner, and warm up once the API is ready.

    Libraries must not log their input from the first request on: at DEBUG, `aiosqlite` logs every
    parameter, and `httpcore` every header. The host's handlers and levels stay as they are.
    """
    guard_libraries()
    async with (
        open_runtime(
            settings, audit=audit, wait_for_keys=False, kind="api", name=app.title
        ) as runtime,
        open_runner(runtime) as app.state.aurorasoc_runner,
    ):
        warming = asyncio.create_task(_warm_up(), name="aurorasoc-warm-up")
        try:
            yield
        finally:
            await end(warming)


async def _warm_up() -> None:
    """Wait until the API is ready, then load what only model calls need."""
    await asyncio.sleep(WARM_UP_AFTER)
    from aurorasoc.llm.models.warm_up import warm_up  # noqa: PLC0415 - httpx alone is a fifth of a start

    await warm_up()


async def _refused(request: Request, error: Exception) -> Response:
    """Answer a path or a method that no route has, in the protocol that is spoken there."""
    if not isinstance(error, HTTPException):
        raise error
    if f"{request.scope['path']}/".startswith(f"{door.router.prefix}/"):
        return no_route_response(error)
    return http_response(error)
