"""One agent as an A2A server: card, both bindings, health, and a graceful stop."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from ipaddress import ip_address
from typing import Any, Final

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from aurorasoc.a2a import http_json, version_0_3, version_1
from aurorasoc.a2a.cards import card_of, card_route
from aurorasoc.a2a.door import Admit, guarded
from aurorasoc.a2a.executor import PerMessage
from aurorasoc.a2a.handler import AgentRequests
from aurorasoc.a2a.json_rpc import JsonRpc
from aurorasoc.a2a.sdk_logs import silence_sdk_logs
from aurorasoc.a2a.tasks import RecentTasks
from aurorasoc.a2a.version_0_3 import VersionZeroThree
from aurorasoc.a2a.version_1 import VersionOne
from aurorasoc.agents.factory import AgentFactory
from aurorasoc.agents.registry import AgentDefinition, definition_of
from aurorasoc.config.settings import Settings, load_settings
from aurorasoc.core.access.permissions import Permission
from aurorasoc.core.access.principal import Principal
from aurorasoc.core.access.tokens import decode_token
from aurorasoc.core.inbound.connections import BoundedConnection
from aurorasoc.core.inbound.origins import LOOPBACK_NAMES, HostGuard
from aurorasoc.core.logs import get_logger
from aurorasoc.core.telemetry.requests import RequestSpans
from aurorasoc.errors import (
    AuroraError,
    ConfigurationError,
    PermissionDenied,
    Unauthenticated,
)
from aurorasoc.runtime import current_runtime, open_runtime

DRAIN_SECONDS: Final = 8
"""How long a stop waits for answers under way."""

_NEEDED: Final = Permission.ALERTS_INVESTIGATE

log = get_logger("aurorasoc.a2a")


async def serve(name: str, host: str, port: int, *, url: str | None, tlp: str | None) -> None:
    """Serve an agent until a signal stops it.

    Args:
        name: One of the registry's.
        host: Address to listen on.
        port: Port to listen on.
        url: Where clients reach it, for its card; None means the address it listens on.
        tlp: Label of the data that it will get.

    Raises:
        ConfigurationError: The environment is wrong, or the address can't be listened on.
        AuroraError: The agent can't be built; what `AgentFactory.build` raises.
    """
    app = create_app(name, url=url or _url(host, port), tlp=tlp, host=host)
    with _listen(host, port) as listener:
        async with open_runtime(kind="agent", name=name) as runtime:
            await AgentFactory(runtime).build(name, tlp=tlp)
            log.info("serving", agent=name, url=_url(host, port))
            await _run(app, listener)


def create_app(
    name: str,
    *,
    url: str,
    tlp: str | None = None,
    settings: Settings | None = None,
    host: str = "127.0.0.1",
) -> Starlette:
    """Compose the app of one agent; its lifespan opens the runtime.

    Args:
        name: One of the registry's.
        url: Where clients reach it.
        tlp: Label of the data that it will get.
        settings: None reads the environment and `secrets.env`.
        host: Where it listens: beyond loopback, callers need a token unless settings waive it.

    Raises:
        NotFound: There is no such agent.
        ConfigurationError: Callers need a token, and there is no secret to check it with.
    """
    definition = definition_of(name)
    used = settings or load_settings()
    wants_token = _wants_token(used, host)
    card = card_of(definition, url, wants_token=wants_token)
    handler = AgentRequests(PerMessage(definition, tlp), RecentTasks(), card)
    guard = Middleware(HostGuard, hosts=(host,), public=(url, *used.server.public_hosts))
    app = Starlette(
        lifespan=_lifespan_of(definition, tlp, settings, handler),
        routes=[
            card_route(card),
            *_routes(handler, _admission(used) if wants_token else _admit_all),
            Route("/health", _health_of(definition, tlp)),
        ],
        middleware=[Middleware(RequestSpans), guard],
    )
    app.router.redirect_slashes = False  # the redirect would be built on the request's Host
    return app


def _routes(handler: AgentRequests, admit: Admit) -> list[Route]:
    one = VersionOne(handler)
    both = JsonRpc({version_1.NAME: one, version_0_3.NAME: VersionZeroThree(handler)})
    return [Route("/", guarded(admit, both), methods=["POST"]), *http_json.routes(admit, one)]


async def _run(app: Starlette, listener: socket.socket) -> None:
    config = uvicorn.Config(
        app,
        http=BoundedConnection,  # over httptools, where it is installed
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=DRAIN_SECONDS,
    )
    await uvicorn.Server(config).serve(sockets=[listener])


def _lifespan_of(
    definition: AgentDefinition,
    tlp: str | None,
    settings: Settings | None,
    handler: AgentRequests,
) -> Callable[[Starlette], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with open_runtime(settings, kind="agent", name=definition.name) as runtime:
            await runtime.pool.prepare(tlp, definition.role, definition.name)
            silence_sdk_logs()
            try:
                yield
            finally:
                await handler.aclose()

    return lifespan


def _wants_token(settings: Settings, host: str) -> bool:
    chosen = settings.server.a2a_auth or ("none" if _is_loopback(host) else "token")
    if chosen == "token" and settings.security.jwt_secret_key is None:
        detail = (
            "Callers of this agent need a token, and JWT_SECRET_KEY is not set to check it with. "
            "Set it, or AURORA_A2A_AUTH=none where a proxy knows who may ask."
        )
        raise ConfigurationError(detail)
    return chosen == "token"


def _admission(settings: Settings) -> Admit:
    async def admit(request: Request) -> Principal:
        """Admit callers who may send data to models, as REST does."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            detail = "Send a bearer token: Authorization: Bearer <token>."
            raise Unauthenticated(detail, reason="no token was sent")
        caller = decode_token(token.strip(), settings.security)
        if not caller.may(_NEEDED):
            await current_runtime().denials.record(caller.subject, "POST /", _NEEDED)
            detail = f"This needs the permission {_NEEDED}."
            raise PermissionDenied(detail)
        return caller

    return admit


async def _admit_all(_request: Request) -> None:
    """Admit everybody."""


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() in LOOPBACK_NAMES


def _health_of(
    definition: AgentDefinition, tlp: str | None
) -> Callable[[Request], Awaitable[JSONResponse]]:
    async def health(_: Request) -> JSONResponse:
        """Answer 200 while messages are accepted; the body says whether a model can answer."""
        return JSONResponse({"agent": definition.name, **_state(definition, tlp)})

    return health


def _state(definition: AgentDefinition, tlp: str | None) -> dict[str, Any]:
    try:
        binding = current_runtime().pool.handles[definition.role, tlp, definition.name].binding
    except AuroraError as error:
        problem = {"code": error.code, "detail": error.detail}
        return {"connection": None, "model": None, "problem": problem}
    reference = binding.reference
    hindrance = current_runtime().hindrances.of(reference.connection)
    return {
        "connection": reference.connection,
        "model": str(reference),
        "revision": binding.revision,
        "problem": hindrance and {"code": hindrance.code, "detail": hindrance.detail},
    }


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError:
        detail = f"{host} port {port} can't be listened on. Choose others with --host and --port."
    raise ConfigurationError(detail)


def _url(host: str, port: int) -> str:
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"
