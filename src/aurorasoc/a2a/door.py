"""Requests to an agent over A2A: authenticated, bounded, validated, and never echoed.

The SDK's own code parses a body before it checks the length, repeats input in its errors, and
prints tracebacks (a2a-sdk 0.3.26).
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from email.message import Message as Header
from typing import Any, Final

from a2a.server.apps import A2AStarletteApplication
from a2a.server.context import ServerCallContext
from a2a.server.request_handlers import RequestHandler
from a2a.types import (
    A2ARequest,
    AgentCard,
    InternalError,
    InvalidParamsError,
    InvalidRequestError,
    JSONParseError,
    JSONRPCError,
    JSONRPCErrorResponse,
    JSONRPCRequest,
    MethodNotFoundError,
    SendStreamingMessageRequest,
    SendStreamingMessageResponse,
    TaskResubscriptionRequest,
)
from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from aurorasoc.a2a.callers import note_caller
from aurorasoc.core.access.principal import Principal
from aurorasoc.core.inbound.bodies import read_body, require_shallow
from aurorasoc.core.inbound.expiry import EXPIRED, ends_before, send_last
from aurorasoc.core.inbound.limits import CallerLimit
from aurorasoc.core.inbound.refusals import Refused
from aurorasoc.core.logs import get_logger
from aurorasoc.errors import AuroraError, RateLimited, UnsupportedMediaType

MAX_ID: Final = 128
"""Characters of a request's id: every answer repeats it, as JSON-RPC requires."""

Admit = Callable[[Request], Awaitable[Principal | None]]
"""Returns who calls; None where callers need no token."""

_EXPIRED: Final = -32000
"""JSON-RPC's first code for errors of a server's own."""

_STREAMS: Final = CallerLimit(500, most_each=100)
_STREAMED: Final = (SendStreamingMessageRequest, TaskResubscriptionRequest)

log = get_logger("aurorasoc.a2a")


class _RefusedCall(Exception):
    """A request that isn't valid JSON-RPC or A2A.

    Args:
        error: The error with its fixed text, and nothing of the request.
    """

    def __init__(self, error: Any) -> None:  # noqa: ANN401 - one of the SDK's error models
        self.error = error


class Door(A2AStarletteApplication):
    """The SDK's application, with our own checks of requests and our own errors.

    Args:
        card: The agent's.
        handler: Answers admitted requests.
        admit: Checks a request before its body is read; raises to refuse it.
    """

    def __init__(self, card: AgentCard, handler: RequestHandler, admit: Admit) -> None:
        super().__init__(agent_card=card, http_handler=handler)
        self._admit = admit

    async def _handle_requests(self, request: Request) -> Response:
        """Answer a request; refusals before it is parsed are problem documents."""
        try:
            caller = await self._admit(request)
            _require_json(request)
            body = await read_body(request.receive, request.scope["headers"])
            require_shallow(body)
            return await self._answer(request, body, caller)
        except AuroraError as error:
            log.warning("request refused", code=error.code, reason=getattr(error, "reason", None))
            return Refused(error)

    async def _answer(self, request: Request, body: bytes, caller: Principal | None) -> Response:
        number: str | int | None = None
        try:
            document = _parse(body)
            number = _id_of(document)
            call = self._validated(document)
            context = self._context_builder.build(request)
            context.state["method"] = call.method
            note_caller(context, caller)
            wrapped = A2ARequest(root=call)
            if isinstance(call, _STREAMED):
                answer = await self._process_streaming_request(number, wrapped, context)
                return _UntilExpiry(answer, number, caller)
            return await self._process_non_streaming_request(number, wrapped, context)
        except RateLimited:
            raise
        except _RefusedCall as refused:
            error = refused.error
        except Exception as failure:  # noqa: BLE001 - nothing of it may reach the caller or the log
            log.error("request failed", error=type(failure).__name__)  # noqa: TRY400 - as above
            error = InternalError()
        log.warning("request refused", code=error.code)
        return _shown(JSONRPCErrorResponse(id=number, error=error))

    def _validated(self, document: dict[str, Any]) -> Any:  # noqa: ANN401 - one of the SDK's models
        method = _validate(JSONRPCRequest, document, InvalidRequestError()).method
        model = self.METHOD_TO_MODEL.get(method)
        if model is None:
            raise _RefusedCall(MethodNotFoundError())
        return _validate(model, document, InvalidParamsError())

    def _create_response(self, context: ServerCallContext, handler_result: Any) -> Response:  # noqa: ANN401 - as the SDK types it
        """Answer with the handler's result; errors carry their fixed texts only."""
        if isinstance(handler_result, AsyncGenerator):
            return super()._create_response(context, _plain_items(handler_result))
        response = getattr(handler_result, "root", handler_result)
        if isinstance(response, JSONRPCErrorResponse):
            return _shown(_plain(response))
        return super()._create_response(context, handler_result)


class _UntilExpiry(Response):
    """A stream that ends with an error when the caller's token expires.

    Raises:
        RateLimited: Too many streams are open.
    """

    def __init__(
        self, stream: Response, number: str | int | None, caller: Principal | None
    ) -> None:
        self._stream = stream
        self._number = number
        self._subject = None if caller is None else caller.subject
        self._expires_at = None if caller is None else caller.expires_at
        _STREAMS.take(self._subject)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the stream; what its task does goes on, as when the caller hangs up."""
        try:
            if not await ends_before(self._expires_at, self._stream(scope, receive, send)):
                await send_last(send, self._last_event())
        finally:
            _STREAMS.leave(self._subject)

    def _last_event(self) -> bytes:
        error = JSONRPCError(code=_EXPIRED, message=EXPIRED["detail"])
        response = JSONRPCErrorResponse(id=self._number, error=error)
        return f"data: {response.model_dump_json(exclude_none=True)}\r\n\r\n".encode()


async def _plain_items(
    items: AsyncGenerator[SendStreamingMessageResponse],
) -> AsyncGenerator[SendStreamingMessageResponse]:
    async for item in items:
        if isinstance(item.root, JSONRPCErrorResponse):
            yield SendStreamingMessageResponse(root=_plain(item.root))
        else:
            yield item


def _plain(response: JSONRPCErrorResponse) -> JSONRPCErrorResponse:
    """Replace an error's text, which may quote the request, by the fixed text of its kind."""
    kind = type(response.error)
    error = (
        JSONRPCError(code=response.error.code, message="The request failed.")
        if kind is JSONRPCError
        else kind()  # type: ignore[call-arg] # all others have a fixed code and text
    )
    log.warning("request refused", code=response.error.code)
    return JSONRPCErrorResponse(id=response.id, error=error)


def _shown(response: JSONRPCErrorResponse) -> JSONResponse:
    return JSONResponse(response.model_dump(mode="json", exclude_none=True))


def _require_json(request: Request) -> None:
    """Refuse what a web page can send from another origin without asking: a form, or plain text.

    Raises:
        UnsupportedMediaType: It isn't declared as JSON.
    """
    declared = Header()
    declared["content-type"] = request.headers.get("content-type", "")
    if declared.get_content_type() != "application/json":
        detail = "Send JSON, with Content-Type: application/json."
        raise UnsupportedMediaType(detail)


def _parse(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        document = None
        error: Any = JSONParseError()
    else:
        error = InvalidRequestError()
    if not isinstance(document, dict):
        raise _RefusedCall(error)
    return document


def _id_of(document: dict[str, Any]) -> str | int | None:
    number = document.get("id")
    if number is None or (isinstance(number, int) and not isinstance(number, bool)):
        return number
    if isinstance(number, str) and len(number) <= MAX_ID:
        return number
    raise _RefusedCall(InvalidRequestError())


def _validate(model: Any, document: dict[str, Any], error: Any) -> Any:  # noqa: ANN401 - the SDK's models
    try:
        return model.model_validate(document)
    except ValidationError:
        pass
    raise _RefusedCall(error)
