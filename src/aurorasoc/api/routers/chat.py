"""`/chat`: one answer, or a stream of server-sent events."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import Any, Final, Literal

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from aurorasoc.api.deps import Investigator, OpenRuntime
from aurorasoc.api.events import EventStream, documented_events, event
from aurorasoc.api.problems import (
    AttemptView,
    ProblemRoute,
    documented,
    problem_of,
    shown_attempts,
)
from aurorasoc.config.vocabulary import ConnectionName, Role, ServingBackend, TlpLabel
from aurorasoc.core.bodies import RequestBody
from aurorasoc.core.inbound.bodies import MIB
from aurorasoc.core.inbound.hang_up import until_hang_up
from aurorasoc.core.inbound.limits import CallerLimit
from aurorasoc.errors import AuroraError, TlpRefused
from aurorasoc.workflows import chat


class ConversationRoute(ProblemRoute):
    """Accepts as much text as the models' contexts hold."""

    max_body = 4 * MIB


router = APIRouter(tags=["chat"], route_class=ConversationRoute)

MAX_MESSAGES = 200
MAX_CONTENT = 200_000


class MessageView(RequestBody):
    """One message of a conversation."""

    role: Literal["system", "user", "assistant"]
    content: str = Field(min_length=1, max_length=MAX_CONTENT)


class ChatBody(RequestBody):
    """A conversation to continue."""

    messages: list[MessageView] = Field(
        min_length=1,
        max_length=MAX_MESSAGES,
        examples=[[{"role": "user", "content": "Explain phishing in one sentence."}]],
    )
    role: Role = "specialist"
    tlp: TlpLabel | None = Field(None, description="TLP 2.0 label of what is sent.")
    stream: bool = False
    checked: bool = Field(
        default=False,
        description="With `stream`: hold the pieces back until the answer is whole, so that a "
        "fallback can answer for a connection that breaks off. A whole answer always is checked.",
    )


class Usage(BaseModel):
    """Tokens, as the provider counted them."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class ChatAnswer(BaseModel):
    """An answer, and who gave it."""

    message: MessageView
    connection: ConnectionName
    provider: ServingBackend = Field(description="The kind of provider it leads to.")
    model: str
    revision: int
    finish_reason: Literal["stop", "length", "tool_calls"] = Field(
        description="`length`: a limit cut the answer off."
    )
    usage: Usage | None = Field(description="Null where the provider counts nothing.")
    attempts: list[AttemptView] | None = Field(
        None, description="Everyone who was asked, in order, where the first one didn't answer."
    )


_PROBLEMS = documented(401, 403, 409, 422, 429, 502, 503, 504)
_STREAMS: Final = CallerLimit(500, most_each=100)
_STREAM = documented_events("delta", "done", "error", example={"content": "A SOC"})


@router.post(
    "/chat",
    response_model=ChatAnswer,
    responses={200: {"content": _STREAM}, **_PROBLEMS},
)
async def converse(
    body: ChatBody, caller: Investigator, runtime: OpenRuntime, request: Request
) -> Response:
    """Answer a conversation with the model in force for the role and the label.

    With `stream`, events `delta` `{content}` are followed by `done` (the rest of the answer)
    or `error` (a problem document). With `checked`, too, no `delta` comes before the answer is
    whole, and none before an `error`.
    """

    async def refused() -> None:
        await runtime.denials.record_label(caller.subject, "chat", body.tlp)

    messages = [chat.Message(m.role, m.content) for m in body.messages]
    try:
        conversation = await chat.begin(messages, role=body.role, tlp=body.tlp)
        if body.stream:
            events = _events(conversation, refused, checked=body.checked)
            return EventStream(events, caller, _STREAMS)
        answering = conversation.answer()
        answer = await until_hang_up(request.receive, answering, caller.expires_at)
        return JSONResponse(_shown(answer))
    except TlpRefused:
        await refused()
        raise


async def _events(
    conversation: chat.Conversation, refused: Callable[[], Awaitable[None]], *, checked: bool
) -> AsyncGenerator[str]:
    try:
        async with aclosing(conversation.stream(checked=checked)) as pieces:
            async for piece in pieces:
                if isinstance(piece, str):
                    yield event("delta", {"content": piece})
                else:
                    done = _shown(piece)
                    del done["message"]
                    yield event("done", done)
    except AuroraError as error:
        if isinstance(error, TlpRefused):
            await refused()
        yield event("error", problem_of(error))


def _shown(answer: chat.Answer) -> dict[str, Any]:
    shown = {
        "message": {"role": "assistant", "content": answer.content},
        "connection": answer.connection,
        "provider": answer.provider.value,
        "model": answer.model,
        "revision": answer.revision,
        "finish_reason": answer.finish_reason,
        "usage": answer.usage,
    }
    if answer.attempts:
        shown["attempts"] = shown_attempts(answer.attempts)
    return shown
