"""OpenAI's protocol, at the root: what other programs call where they would call OpenAI.

A stream's status is decided once its first piece is there: what fails before is a proper error.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Header, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from aurorasoc.api.clients_auth import caller_of_door
from aurorasoc.api.deps import CALLER, DoorCaller, OpenRuntime, bearer_of
from aurorasoc.api.door import asking, described, errors, shapes
from aurorasoc.api.door.body import CompletionBody
from aurorasoc.api.door.headers import headers_of
from aurorasoc.api.door.label import LabelHeader, label_for
from aurorasoc.api.problems import ProblemRoute
from aurorasoc.core.access.client_secrets import is_client_secret
from aurorasoc.core.access.principal import Principal
from aurorasoc.core.inbound.bodies import MIB
from aurorasoc.core.inbound.hang_up import until_hang_up
from aurorasoc.core.inbound.limits import CallerLimit
from aurorasoc.core.inbound.streams import ExpiringStream
from aurorasoc.errors import AuroraError, TlpRefused, Unauthenticated
from aurorasoc.runtime import current_runtime
from aurorasoc.workflows import completion
from aurorasoc.workflows.completion import Answering, Completion, Ending, Piece

StreamHeader = Annotated[
    Literal["checked"] | None,
    Header(
        alias="x-aurora-stream",
        description="`checked`: hold a stream back until its answer is whole, so that a fallback "
        "can answer for a connection that breaks off.",
    ),
]


class DoorRoute(ProblemRoute):
    """Turns every error into OpenAI's shape; accepts as much text as the models' contexts hold."""

    max_body = 4 * MIB

    async def authenticate(self, request: Request) -> list[tuple[bytes, bytes]]:
        """Take a machine client's secret beside what all other calls take.

        Raises:
            Unauthenticated: There is no token and no secret, or it doesn't hold.
        """
        bearer = await bearer_of(request)
        if bearer is None or not is_client_secret(bearer):
            return await super().authenticate(request)
        request.scope[CALLER] = caller_of_door(bearer, current_runtime())
        return []

    def problem(self, error: AuroraError, *, unread: bool = False) -> Response:
        """Return the answer to a refused request."""
        return errors.error_response(error, unread=unread)

    def invalid(self, error: RequestValidationError, body: Any) -> Response:  # noqa: ANN401 - any annotation
        """Return the answer to a request whose fields are wrong."""
        return errors.invalid_response(error, body)

    def refused_by_host(self, error: HTTPException) -> Response:
        """Return the answer to a request that the framework or a host's dependency refused."""
        return errors.http_response(error)


router = APIRouter(prefix="/v1", tags=["door"], route_class=DoorRoute)

_ERRORS: Final = described.documented(400, 401, 403, 503)
_STREAMS: Final = CallerLimit(500, most_each=100)
_EXPIRED: Final = errors.error_event(
    Unauthenticated("The token has expired during the stream. Sign in again.")
).encode()


@router.get("/models", response_model=described.ModelList, responses=_ERRORS)
async def list_models(caller: DoorCaller, runtime: OpenRuntime) -> dict[str, Any]:
    """List the names that `model` takes: roles, and agents."""
    del caller
    names = asking.models(runtime.adoption.snapshot.assignments)
    return {"object": "list", "data": [shapes.model(name) for name in names]}


@router.get(
    "/models/{model}",
    response_model=described.Model,
    responses=_ERRORS | described.documented(404),
)
async def get_model(model: str, caller: DoorCaller, runtime: OpenRuntime) -> dict[str, Any]:
    """Return one of these names."""
    del caller
    asking.who(model, runtime.adoption.snapshot.assignments)
    return shapes.model(model)


@router.post(
    "/chat/completions",
    response_model=described.Completion,
    responses={
        200: {"content": described.STREAMED},
        **_ERRORS,
        **described.documented(404, 408, 409, 413, 422, 429, 502, 504),
    },
)
async def complete(  # noqa: PLR0913, PLR0917 - FastAPI fills them in
    body: CompletionBody,
    caller: DoorCaller,
    runtime: OpenRuntime,
    request: Request,
    tlp: LabelHeader = None,
    stream: StreamHeader = None,
) -> Response:
    """Complete a conversation, as OpenAI's call of that name does.

    Headers say who answered: `x-aurora-connection`, `x-aurora-revision`, `x-aurora-attempts`
    where more than one was asked, and `x-aurora-left-out` where something of the request didn't
    reach the model.
    """
    label: str | None = tlp[0] if tlp else None
    try:
        label = label_for(caller, tlp)
        role, agent = asking.who(body.model, runtime.adoption.snapshot.assignments)
        bound = await completion.begin(asking.asked(body), role=role, agent=agent, tlp=label)
        if body.stream:
            return await _streamed(body, bound, caller, request, checked=stream is not None)
        answer = await until_hang_up(request.receive, bound.whole(), caller.expires_at)
    except TlpRefused:
        await runtime.denials.record_label(caller.subject, "door", label)
        raise
    return JSONResponse(shapes.completion(answer), headers=_headers(body, answer.answering))


def _headers(body: CompletionBody, answering: Answering) -> dict[str, str]:
    return headers_of(answering, asking.left_out(body, answering.left_out))


async def _streamed(
    body: CompletionBody,
    bound: Completion,
    caller: Principal,
    request: Request,
    *,
    checked: bool,
) -> Response:
    """Return the stream once its first piece is there.

    Raises:
        AuroraError: It failed before that.
        HungUp: The caller hung up before that.
    """
    _STREAMS.take(caller.subject)
    try:
        beginning = bound.stream(checked=checked)
        begun = await until_hang_up(request.receive, beginning, caller.expires_at)
    except BaseException:
        _STREAMS.leave(caller.subject)
        raise
    events = _events(begun.pieces, shapes.Chunks(begun.answering, counts=_counts(body)))
    response = ExpiringStream(
        events, caller.expires_at, _EXPIRED, lambda: _STREAMS.leave(caller.subject)
    )
    response.headers.update(_headers(body, begun.answering))
    return response


async def _events(
    pieces: AsyncGenerator[Answering | Piece | Ending], chunks: shapes.Chunks
) -> AsyncGenerator[str]:
    try:
        async with aclosing(pieces):
            async for piece in pieces:
                if isinstance(piece, Piece):
                    if (event := chunks.of_piece(piece)) is not None:
                        yield event
                elif isinstance(piece, Ending):
                    for event in chunks.of_ending(piece):
                        yield event
    except AuroraError as error:
        yield errors.error_event(error)


def _counts(body: CompletionBody) -> bool:
    return body.stream_options is not None and bool(body.stream_options.include_usage)
