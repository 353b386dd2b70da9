"""The app, and the routers that a host platform includes in its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

from fastapi import FastAPI, Request
from starlette.exceptions import HTTPException

from aurorasoc.api.deps import authenticated
from aurorasoc.api.problems import ProblemResponse, http_response
from aurorasoc.api.routers import audit, chat, health, history, llm_providers
from aurorasoc.config.settings import Settings, load_settings
from aurorasoc.llm.warm_up import warm_up
from aurorasoc.runtime import open_runtime

API_PREFIX: Final = "/api/v1"


def create_app(settings: Settings | None = None) -> FastAPI:
    """Give the service's own app.

    Interactive documentation pages are left out: they fetch their scripts from elsewhere.

    Args:
        settings: What to run with; None reads the environment, as `serve` does.
    """
    used = settings or load_settings(secrets_file=False)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with open_runtime(used):
            warming = asyncio.create_task(warm_up(), name="aurorasoc-warm-up")
            try:
                yield
            finally:
                warming.cancel()
                with suppress(asyncio.CancelledError):
                    await warming

    app = FastAPI(
        title="aurorasoc",
        summary="Run a SOC's AI agents on local or hosted models, and switch while they work.",
        version="0.1.0",
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    app.add_exception_handler(HTTPException, _refused)
    include_routers(app)
    return app


def include_routers(app: FastAPI, *, principal: Callable[..., Any] | None = None) -> None:
    """Include all routers in an app.

    The host opens the runtime in its own lifespan: `async with open_runtime(audit=…):`.

    Args:
        app: Ours, or a host platform's.
        principal: A FastAPI dependency that gives the caller as a
            `aurorasoc.core.principal.Principal`; None reads our bearer tokens.
    """
    if principal is not None:
        app.dependency_overrides[authenticated] = principal
    for router in (llm_providers.router, history.router, chat.router, audit.router):
        app.include_router(router, prefix=API_PREFIX)
    app.include_router(health.router)


async def _refused(_request: Request, error: Exception) -> ProblemResponse:
    """Answer a path or a method that no route has."""
    if not isinstance(error, HTTPException):
        raise error
    return http_response(error)
