"""The JSON-RPC binding: one address for both versions of the protocol."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from a2a.server.context import ServerCallContext
from a2a.utils.errors import (
    A2AError,
    InvalidRequestError,
    JSONParseError,
    MethodNotFoundError,
    VersionNotSupportedError,
)
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from aurorasoc.a2a.callers import context_of
from aurorasoc.a2a.door import parsed, streamed, version_of
from aurorasoc.a2a.failures import OtherVersion, code_of, protocol_error, text_of
from aurorasoc.a2a.incoming import plain
from aurorasoc.core.access.principal import Principal
from aurorasoc.core.inbound.expiry import EXPIRED
from aurorasoc.core.inbound.refusals import Refused
from aurorasoc.errors import RateLimited

MAX_ID: Final = 128
"""Characters of a request's id: every answer repeats it, as JSON-RPC requires."""

_EXPIRED: Final = -32000
"""JSON-RPC's first code for errors of a server's own."""

Number = str | int | None
"""A request's id."""


class Version(Protocol):
    """One version of the protocol."""

    @property
    def methods(self) -> frozenset[str]:
        """The names of its methods."""

    @property
    def streamed(self) -> frozenset[str]:
        """Those whose answer is a stream."""

    @property
    def streams_errors(self) -> bool:
        """Whether its clients expect even the refusal of a streamed call as an event."""

    async def answer(self, method: str, params: dict[str, Any], context: ServerCallContext) -> Any:  # noqa: ANN401 - JSON
        """Call a method that isn't streamed, and return its result as JSON."""

    def events(
        self, method: str, params: dict[str, Any], context: ServerCallContext
    ) -> AsyncGenerator[Any]:
        """Call a streamed method, and yield its events as JSON."""

    def details(self, error: A2AError) -> list[dict[str, Any]] | None:
        """Return an error's details, where the version has them."""


@dataclass
class _Reply:
    """What an answer repeats of its request, as far as it is known."""

    version: Version | None = None
    number: Number = None

    def result(self, result: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
        return {"jsonrpc": "2.0", "id": self.number, "result": result}

    def error(self, code: int, message: str, details: object = None) -> dict[str, Any]:
        error = {"code": code, "message": message}
        data = {} if details is None else {"data": details}
        return {"jsonrpc": "2.0", "id": self.number, "error": error | data}

    def failure(self, failure: Exception) -> dict[str, Any]:
        error = protocol_error(failure)
        details = None if self.version is None else self.version.details(error)
        return self.error(code_of(error), text_of(error), details)


class JsonRpc:
    """Answers JSON-RPC requests in the version that they ask for.

    Args:
        versions: By their names.
    """

    refused = staticmethod(Refused)

    def __init__(self, versions: Mapping[str, Version]) -> None:
        self._versions = versions

    async def answer(self, request: Request, body: bytes, caller: Principal | None) -> Response:
        """Answer an admitted request; invalid ones get JSON-RPC's errors.

        Raises:
            RateLimited: Too many streams are open.
        """
        reply = _Reply(self._versions.get(version_of(request)))
        try:
            return await self._answered(reply, _document(body), caller)
        except RateLimited:
            raise
        except Exception as failure:  # noqa: BLE001 - nothing of it may reach the caller or the log
            return JSONResponse(reply.failure(failure))

    async def _answered(
        self, reply: _Reply, document: dict[str, Any], caller: Principal | None
    ) -> Response:
        reply.number = _number_of(document)
        method = _method_of(document)
        version = self._version_for(method, reply.version)
        context = context_of(caller, streamed=method in version.streamed)
        params = document.get("params", {})
        if method in version.streamed:
            return await _stream(reply, version, method, params, context, caller)
        return JSONResponse(reply.result(await version.answer(method, plain(params), context)))

    def _version_for(self, method: str, asked: Version | None) -> Version:
        if asked is None:
            raise VersionNotSupportedError
        if method in asked.methods:
            return asked
        known = any(method in version.methods for version in self._versions.values())
        raise OtherVersion if known else MethodNotFoundError


async def _stream(  # noqa: PLR0913, PLR0917 - all that a stream depends on
    reply: _Reply,
    version: Version,
    method: str,
    params: Any,  # noqa: ANN401 - JSON
    context: ServerCallContext,
    caller: Principal | None,
) -> Response:
    async def events() -> AsyncGenerator[dict[str, Any]]:
        try:
            async for event in version.events(method, plain(params), context):
                yield reply.result(event)
        except A2AError as error:
            if not version.streams_errors:
                raise
            yield reply.failure(error)

    def failed(error: Exception) -> str:
        return _event(reply.failure(error))

    expired = _event(reply.error(_EXPIRED, EXPIRED["detail"]))
    return await streamed(events(), _event, failed, caller=caller, expired=expired)


def _event(document: dict[str, Any]) -> str:
    return f"data: {json.dumps(document, ensure_ascii=False)}\n\n"


def _document(body: bytes) -> dict[str, Any]:
    try:
        document = parsed(body)
    except ValueError:
        document = None
        error: type[A2AError] = JSONParseError
    else:
        error = InvalidRequestError
    if not isinstance(document, dict):
        raise error
    return document


def _number_of(document: dict[str, Any]) -> Number:
    number = document.get("id")
    if number is None or (isinstance(number, int) and not isinstance(number, bool)):
        return number
    if isinstance(number, str) and len(number) <= MAX_ID:
        return number
    raise InvalidRequestError


def _method_of(document: dict[str, Any]) -> str:
    method = document.get("method")
    if document.get("jsonrpc") != "2.0" or not isinstance(method, str):
        raise InvalidRequestError
    return method
