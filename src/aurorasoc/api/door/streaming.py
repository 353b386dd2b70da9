"""Streams of the door: when a response begins, and what it sends.

It begins with the first piece, so that what fails before is a proper error. For a silent model it
begins sooner: proxies on the way to the caller close what is idle.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from contextlib import aclosing
from typing import Final

from fastapi import Request, Response

from aurorasoc.api.door import asking, errors, shapes
from aurorasoc.api.door.body import CompletionBody
from aurorasoc.api.door.headers import as_comment, headers_of
from aurorasoc.core.access.principal import Principal
from aurorasoc.core.inbound import quiet
from aurorasoc.core.inbound.hang_up import until_hang_up
from aurorasoc.core.inbound.limits import CallerLimit
from aurorasoc.core.inbound.streams import ExpiringStream
from aurorasoc.errors import AuroraError, TlpRefused, Unauthenticated
from aurorasoc.workflows.completion import Answering, Completion, Ending, Piece, Stream

STREAMS: Final = CallerLimit(500, most_each=100)

_EXPIRED: Final = errors.error_event(
    Unauthenticated("The token has expired during the stream. Sign in again.")
).encode()


async def streamed(  # noqa: PLR0913 - one response needs them all
    body: CompletionBody,
    bound: Completion,
    caller: Principal,
    request: Request,
    refused: Callable[[], Awaitable[None]],
    *,
    checked: bool,
) -> Response:
    """Return the response once its first piece is there, or after a time of quiet.

    Args:
        body: What was asked for.
        bound: The completion.
        caller: Who asks.
        request: The caller's; its body has been read.
        refused: Records that the label forbids the call, once the response has begun.
        checked: Whether nothing is there before the answer is whole.

    Raises:
        AuroraError: It failed before that.
        HungUp: The caller hung up before that.
    """
    STREAMS.take(caller.subject)
    opening = asyncio.create_task(bound.stream(checked=checked))

    def ended() -> None:
        opening.cancel()
        STREAMS.leave(caller.subject)

    try:
        waiting = asyncio.wait([opening], timeout=quiet.QUIET_SECONDS)
        await until_hang_up(request.receive, waiting, caller.expires_at)
        begun = opening.result() if opening.done() else None
    except BaseException:
        await _abandon(opening)
        STREAMS.leave(caller.subject)
        raise
    events = _late(opening, body, refused) if begun is None else _events(begun, body)
    response = ExpiringStream(events, caller.expires_at, _EXPIRED, ended)
    if begun is not None:
        response.headers.update(_headers(begun, body))
    return response


async def _late(
    opening: asyncio.Task[Stream], body: CompletionBody, refused: Callable[[], Awaitable[None]]
) -> AsyncGenerator[str]:
    """Yield a comment at once, and the events once the first piece is there.

    The response's headers are sent by then, so comments say what they would have said.
    """
    yield quiet.STILL_HERE.decode()
    try:
        begun = await opening
    except AuroraError as error:
        if isinstance(error, TlpRefused):
            await refused()
        failure = asking.caused(error, body)
        yield as_comment(errors.error_headers(failure)) + errors.error_event(failure)
        return
    async with aclosing(_events(begun, body)) as events:
        yield as_comment(_headers(begun, body))
        async for event in events:
            yield event


async def _events(begun: Stream, body: CompletionBody) -> AsyncGenerator[str]:
    chunks = shapes.Chunks(begun.answering, counts=_counts(body))
    try:
        async with aclosing(begun.pieces) as pieces:
            async for piece in pieces:
                for event in _shown(piece, chunks):
                    yield event
    except AuroraError as error:
        yield errors.error_event(error)


def _shown(piece: Answering | Piece | Ending, chunks: shapes.Chunks) -> Iterable[str]:
    if isinstance(piece, Ending):
        yield from chunks.of_ending(piece)
    elif isinstance(piece, Piece) and (event := chunks.of_piece(piece)) is not None:
        yield event


async def _abandon(opening: asyncio.Task[Stream]) -> None:
    """End a stream that nobody is going to read; its failure is known, or nobody's concern."""
    opening.cancel()
    await asyncio.wait([opening])
    if not opening.cancelled() and opening.exception() is None:
        await opening.result().pieces.aclose()


def _headers(begun: Stream, body: CompletionBody) -> dict[str, str]:
    answering = begun.answering
    return headers_of(answering, asking.left_out(body, answering.left_out))


def _counts(body: CompletionBody) -> bool:
    return body.stream_options is not None and bool(body.stream_options.include_usage)
