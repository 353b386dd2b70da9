"""One conversation on the model in force.

It finishes on the model it began with, or on the one that stood in for it.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from aurorasoc.config.vocabulary import ConnectionName, Role, ServingBackend
from aurorasoc.errors import Attempt
from aurorasoc.llm.models.pool import get_chat_model
from aurorasoc.llm.models.texts import texts_of
from aurorasoc.llm.wire.answers.outcome import outcome_of
from aurorasoc.runtime import current_runtime

if TYPE_CHECKING:
    from beeai_framework.backend.types import ChatModelOutput

    from aurorasoc.llm.models.handle import LiveChatModel


@dataclass(frozen=True, slots=True)
class Message:
    """One message."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer: its text, the connection and model that gave it, revision, and how it ended.

    Attributes:
        finish_reason: `length`: a limit cut it off.
        usage: Tokens; None where the provider counts nothing.
        attempts: Everyone who was asked, in order; empty if the first one answered.
    """

    content: str
    connection: ConnectionName
    provider: ServingBackend
    model: str
    revision: int
    finish_reason: str
    usage: dict[str, int] | None
    attempts: tuple[Attempt, ...] = ()


@dataclass(frozen=True, slots=True)
class Conversation:
    """A conversation bound to one model: a switch doesn't affect it."""

    messages: Sequence[Message]
    model: LiveChatModel

    async def answer(self) -> Answer:
        """Return the whole answer.

        Raises:
            ModelCallError: The provider failed.
            TlpRefused: The label forbids the call.
        """
        output = await self.model.run(_beeai_messages(self.messages))
        return self._answer(output)

    async def stream(self, *, checked: bool = False) -> AsyncGenerator[str | Answer]:
        """Yield pieces of text, then the whole answer.

        Args:
            checked: Whether the pieces are held back until the answer is whole: only then can
                another model stand in for one that breaks off in mid-answer.

        Raises:
            As `answer` does, possibly after some pieces; of a checked one, before the first.
        """
        run = self.model.run(_beeai_messages(self.messages), stream=True, checked=checked)
        async with aclosing(texts_of(run)) as pieces:  # leaving early ends the call
            async for piece in pieces:
                yield piece if isinstance(piece, str) else self._answer(piece)

    def _answer(self, output: ChatModelOutput) -> Answer:
        outcome, binding = outcome_of(output), self.model.pinned
        return Answer(
            content=outcome.text,
            connection=binding.reference.connection,
            provider=binding.reference.provider,
            model=outcome.model,
            revision=binding.revision,
            finish_reason=outcome.finish.value,
            usage=None if outcome.usage is None else outcome.usage.totals(),
            attempts=outcome.attempts,
        )


async def begin(
    messages: Sequence[Message], *, role: Role = "specialist", tlp: str | None = None
) -> Conversation:
    """Bind a conversation to the model in force for a role and a label.

    Raises:
        NoModelConfigured, ProviderNotReady, BackendUnavailable: There is no model to ask.
        TlpRefused: The label forbids every backend at hand.
    """
    await current_runtime().pool.prepare(tlp, role)
    return Conversation(messages, await get_chat_model(role, tlp=tlp).clone())


def _beeai_messages(messages: Sequence[Message]) -> list[Any]:
    from beeai_framework.backend.message import (  # noqa: PLC0415 - BeeAI costs two seconds
        AssistantMessage,
        SystemMessage,
        UserMessage,
    )

    kinds = {"system": SystemMessage, "user": UserMessage, "assistant": AssistantMessage}
    return [kinds[m.role](m.content) for m in messages]
