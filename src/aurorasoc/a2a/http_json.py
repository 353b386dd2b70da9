"""The HTTP+JSON binding of version 1.0: the same methods by paths and verbs (§11.3)."""

from __future__ import annotations

import json
from typing import Any, Final

from a2a.utils.errors import (
    ContentTypeNotSupportedError,
    InvalidParamsError,
    InvalidRequestError,
    VersionNotSupportedError,
)
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from aurorasoc.a2a import version_1
from aurorasoc.a2a.callers import context_of
from aurorasoc.a2a.door import Admit, guarded, parsed, streamed, version_of
from aurorasoc.a2a.failures import http_error_of, protocol_error
from aurorasoc.a2a.incoming import MAX_NAME, plain
from aurorasoc.a2a.version_1 import VersionOne
from aurorasoc.core.access.principal import Principal
from aurorasoc.core.inbound.expiry import EXPIRED
from aurorasoc.core.inbound.refusals import Refused
from aurorasoc.errors import AuroraError, RateLimited, UnsupportedMediaType

_PUSH: Final = "/tasks/{id}/pushNotificationConfigs"

_PATHS: Final = (
    ("POST", "/message:send", "SendMessage"),
    ("POST", "/message:stream", "SendStreamingMessage"),
    ("GET", "/tasks", "ListTasks"),
    ("POST", "/tasks/{id}:cancel", "CancelTask"),
    ("GET", "/tasks/{id}:subscribe", "SubscribeToTask"),
    ("POST", "/tasks/{id}:subscribe", "SubscribeToTask"),
    ("GET", "/tasks/{id}", "GetTask"),
    ("POST", _PUSH, "CreateTaskPushNotificationConfig"),
    ("GET", _PUSH, "ListTaskPushNotificationConfigs"),
    ("GET", f"{_PUSH}/{{config}}", "GetTaskPushNotificationConfig"),
    ("DELETE", f"{_PUSH}/{{config}}", "DeleteTaskPushNotificationConfig"),
    ("GET", "/extendedAgentCard", "GetExtendedAgentCard"),
)

_FLAGS: Final = frozenset(("includeArtifacts",))
_ERROR_INFO: Final = "type.googleapis.com/google.rpc.ErrorInfo"

_STATUS: Final = {
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    408: "DEADLINE_EXCEEDED",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
}
"""Google's names for HTTP's codes (google/rpc/code.proto); all others are INVALID_ARGUMENT."""


def routes(admit: Admit, version: VersionOne) -> list[Route]:
    """Return the routes of all methods.

    Args:
        admit: Checks a request before its body is read.
        version: Answers it.
    """
    return [
        Route(path, guarded(admit, _Method(name, version)), methods=[verb])
        for verb, path, name in _PATHS
    ]


class _A2AJson(JSONResponse):
    media_type = "application/a2a+json"


class _Method:
    """Answers the requests of one path and verb.

    Args:
        name: The method, as JSON-RPC names it.
        version: Answers it.
    """

    def __init__(self, name: str, version: VersionOne) -> None:
        self._name = name
        self._version = version

    async def answer(self, request: Request, body: bytes, caller: Principal | None) -> Response:
        """Answer an admitted request; invalid ones get the errors of AIP-193.

        Raises:
            RateLimited: Too many streams are open.
        """
        try:
            return await self._answered(request, body, caller)
        except RateLimited:
            raise
        except Exception as failure:  # noqa: BLE001 - nothing of it may reach the caller or the log
            error = http_error_of(protocol_error(failure))
            return JSONResponse({"error": error}, status_code=error["code"])

    def refused(self, error: AuroraError) -> Response:
        """Answer a request that isn't admitted, or whose body nobody reads."""
        if isinstance(error, UnsupportedMediaType):
            shown = http_error_of(ContentTypeNotSupportedError())
        else:
            shown = _refusal(error)
        return Refused(error, (shown["code"], {"error": shown}))

    async def _answered(self, request: Request, body: bytes, caller: Principal | None) -> Response:
        if version_of(request) != version_1.NAME:
            raise VersionNotSupportedError
        reads = self._name in VersionOne.streamed
        context = context_of(caller, streamed=reads)
        params = plain(_params_of(request, body))
        if not reads:
            return _A2AJson(await self._version.answer(self._name, params, context))
        events = self._version.events(self._name, params, context)
        return await streamed(events, _event, _failed, caller=caller, expired=_expired())


def _params_of(request: Request, body: bytes) -> dict[str, Any]:
    """Return a method's parameters: from the path, and from the query or the body."""
    params = _document(body) if body else _query(request)
    if "id" in request.path_params:
        params = params | {"id": request.path_params["id"]}
    if len(str(params.get("id", ""))) > MAX_NAME:
        raise InvalidParamsError
    return params


def _document(body: bytes) -> dict[str, Any]:
    try:
        document = parsed(body)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise InvalidRequestError
    return document


def _query(request: Request) -> dict[str, Any]:
    """Return the parameters in a query; protobuf reads numbers and times from text itself."""
    flags = {"true": True, "false": False}
    return {
        name: flags.get(value, value) if name in _FLAGS else value
        for name, value in request.query_params.items()
    }


def _refusal(error: AuroraError) -> dict[str, Any]:
    details = {"@type": _ERROR_INFO, "reason": error.code.upper(), "domain": "a2a-protocol.org"}
    return {
        "code": error.status_code,
        "status": _STATUS.get(error.status_code, "INVALID_ARGUMENT"),
        "message": error.detail,
        "details": [details],
    }


def _event(document: object) -> str:
    return f"data: {json.dumps(document, ensure_ascii=False)}\n\n"


def _failed(failure: Exception) -> str:
    return _last({"error": http_error_of(protocol_error(failure))})


def _expired() -> str:
    return _last({"error": {"code": 401, "status": _STATUS[401], "message": EXPIRED["detail"]}})


def _last(document: object) -> str:
    return f"event: error\n{_event(document)}"
