"""One conversation on the model in force. It finishes on the model it began with."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from aurorasoc.config.vocabulary import ConnectionName, Role, ServingBackend
from aurorasoc.llm.models.binding import Binding
from aurorasoc.llm.models.pool import get_chat_model
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
    """

    content: str
    connection: ConnectionName
    provider: ServingBackend
    model: str
    revision: int
    finish_reason: str
    usage: dict[str, int] | None


@dataclass(frozen=True, slots=True)
class Conversation:
    """A conversation bound to one model: a switch doesn't affect it."""

    messages: Sequence[Message]
    model: LiveChatModel
    binding: Binding

    async def answer(self) -> Answer:
        """Return the whole answer.

        Raises:
            ModelCallError: The provider failed.
            TlpRefused: The label forbids the call.
        """
        output = await self.model.run(_beeai_messages(self.messages))
        return self._answer(output)

    async def stream(self) -> AsyncGenerator[str | Answer]:
        """Yield pieces of text, then the whole answer.

        Raises:
            As `answer` does, possibly after some pieces.
        """
        run = self.model.run(_beeai_messages(self.messages), stream=True)
        async with aclosing(aiter(run)) as events:  # leaving early ends the call
            async for data, event in events:
                if event.name == "new_token":
                    text = data.value.get_text_content()
                    if text:
                        yield text
                elif event.name == "success":
                    output = data.value
        yield self._answer(output)  # only now is the answer known to be valid

    def _answer(self, output: ChatModelOutput) -> Answer:
        outcome = outcome_of(output)
        return Answer(
            content=outcome.text,
            connection=self.binding.reference.connection,
            provider=self.binding.reference.provider,
            model=outcome.model,
            revision=self.binding.revision,
            finish_reason=outcome.finish.value,
            usage=None if outcome.usage is None else outcome.usage.totals(),
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
    model = await get_chat_model(role, tlp=tlp).clone()
    return Conversation(messages, model, model.binding)


def _beeai_messages(messages: Sequence[Message]) -> list[Any]:
    from beeai_framework.backend.message import (  # noqa: PLC0415 - BeeAI costs two seconds
        AssistantMessage,
        SystemMessage,
        UserMessage,
    )

    kinds = {"system": SystemMessage, "user": UserMessage, "assistant": AssistantMessage}
    return [kinds[m.role](m.content) for m in messages]
