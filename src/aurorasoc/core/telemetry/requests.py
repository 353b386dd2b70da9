"""A span for each HTTP request, as part of the caller's trace (W3C Trace Context)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aurorasoc.core.telemetry.names import Stable
from aurorasoc.core.telemetry.spans import TRACING, mark_failed, span, trace_ids

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.trace import Span
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

_METHODS: Final = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})
_OTHER: Final = "_OTHER"
_UNTRACED: Final = frozenset({"/health", "/healthz", "/metrics", "/readyz"})
"""Paths that machines ask every few seconds."""

_TRACE_HEADERS: Final = (b"traceparent", b"tracestate")
_MOST_TRACE_STATE: Final = 512
"""Characters, as the recommendation has it (W3C Trace Context §3.3.1.5)."""

_SERVER_ERROR: Final = 500


class RequestSpans:
    """An ASGI app before another one: each request is a span, until its answer is whole.

    A span has the route's template, never the path or the query.

    Args:
        app: The app behind it, or a route.
        prefix: Where routers are included: a route's template begins below it.
        steps_back: Whether there is no span within another one, such as that of a host platform.
    """

    def __init__(self, app: ASGIApp, prefix: str = "", *, steps_back: bool = False) -> None:
        self._app, self._prefix, self._steps_back = app, prefix, steps_back

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        traced = TRACING.tracer is not None and scope["type"] == "http"
        if not traced or scope["path"] in _UNTRACED or (self._steps_back and trace_ids()):
            await self._app(scope, receive, send)
            return
        method = scope["method"] if scope["method"] in _METHODS else _OTHER
        attributes = {
            Stable.HTTP_REQUEST_METHOD.value: method,
            Stable.URL_SCHEME.value: scope["scheme"],
        }
        with span(method, attributes, kind="server", parent=_parent(scope)) as current:

            async def noting(message: Message) -> None:
                if current is not None and message["type"] == "http.response.start":
                    _note(current, method, self._route(scope), message["status"])
                await send(message)

            await self._app(scope, receive, noting)

    def _route(self, scope: Scope) -> str | None:
        """Return the template of the route that answers; None: there is none."""
        template: str | None = getattr(scope.get("route"), "path", None)
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        if template is None or not path.startswith(f"{self._prefix}/"):
            return template
        return template if template.startswith(self._prefix) else f"{self._prefix}{template}"


def _note(current: Span, method: str, route: str | None, status: int) -> None:
    if route:
        current.update_name(f"{method} {route}")
        current.set_attribute(Stable.HTTP_ROUTE.value, route)
    current.set_attribute(Stable.HTTP_RESPONSE_STATUS_CODE.value, status)
    if status >= _SERVER_ERROR:
        mark_failed(current, str(status))


def _parent(scope: Scope) -> Context:
    """Return the caller's context: its trace, and no baggage."""
    from opentelemetry.trace.propagation.tracecontext import (  # noqa: PLC0415 - where it is traced
        TraceContextTextMapPropagator,
    )

    headers = {
        name.decode(): value.decode("latin-1")
        for name, value in scope["headers"]
        if name in _TRACE_HEADERS and len(value) <= _MOST_TRACE_STATE
    }
    return TraceContextTextMapPropagator().extract(headers)
