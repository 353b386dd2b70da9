"""A SOC agent: instructions and a chat model, as a BeeAI agent.

It asks its model once for each run. No tool calls are needed for that, so it works with every
provider and with small models (docs/decisions/031).
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from typing import Unpack

from beeai_framework.agents import AgentMeta, AgentOptions, AgentOutput, BaseAgent
from beeai_framework.backend.message import (
    AnyMessage,
    AssistantMessage,
    MessageTextContent,
    SystemMessage,
    UserMessage,
)
from beeai_framework.backend.types import ChatModelOutput
from beeai_framework.context import Run, RunContext
from beeai_framework.emitter import Emitter
from beeai_framework.errors import FrameworkError
from beeai_framework.memory import BaseMemory, UnconstrainedMemory

from aurorasoc.agents.registry import AgentDefinition
from aurorasoc.core.telemetry.names import Aurora, GenAI
from aurorasoc.core.telemetry.spans import span
from aurorasoc.errors import InvalidInput, our_error
from aurorasoc.llm.models.handle import LiveChatModel
from aurorasoc.llm.models.texts import texts_of
from aurorasoc.llm.wire.answers.cut_answers import cut
from aurorasoc.llm.wire.answers.outcome import Finish


class SocAgent(BaseAgent[AgentOutput]):
    """An agent of the SOC. Only `AgentFactory` makes one.

    Args:
        definition: Describes it.
        llm: A live handle: each run uses the model in force when it begins.
        memory: The earlier messages; None means none.
    """

    def __init__(
        self, definition: AgentDefinition, llm: LiveChatModel, memory: BaseMemory | None = None
    ) -> None:
        super().__init__()
        self.definition = definition
        self.llm = llm
        self._memory = memory or UnconstrainedMemory()

    def run(
        self, prompt: str | list[AnyMessage], /, **kwargs: Unpack[AgentOptions]
    ) -> Run[AgentOutput]:
        """Answer a text or messages, given the memory; add both to the memory.

        Raises:
            AuroraError: When awaited: what the handle raises, not wrapped in BeeAI's errors.
            AnswerCut: When awaited: a limit cut the answer off.
            InvalidInput: When awaited: a message holds something other than text.
        """
        new = [UserMessage(prompt)] if isinstance(prompt, str) else prompt

        async def answer(_: RunContext) -> AgentOutput:
            with span(f"invoke_agent {self.definition.name}", self._attributes()):
                return await self._answer(new)

        signal = kwargs.get("signal")
        run = RunContext.enter(self, answer, signal=signal, run_params={"input": new})
        run.middleware(*self.middlewares)
        run.handler = _unwrapping(run.handler)
        return run

    async def stream(self, new: list[AnyMessage]) -> AsyncGenerator[str]:
        """Answer messages, given the memory, piece by piece; then add both to the memory.

        A `clone()` answers on the model that it is pinned to. What was yielded is an answer only
        if no error follows.

        Raises:
            As `run` does, possibly after some pieces.
        """
        run = self.llm.run(self._asked(new), stream=True)
        async with aclosing(texts_of(run)) as pieces:  # leaving early ends the call
            async for piece in pieces:
                if isinstance(piece, str):
                    yield piece
                else:
                    await self._remember(new, piece)

    async def clone(self) -> SocAgent:
        """Return an agent that is pinned to the model in force now.

        Raises:
            AuroraError: There is none; what the handle raises.
        """
        return SocAgent(self.definition, await self.llm.clone(), await self._memory.clone())

    @property
    def memory(self) -> BaseMemory:
        """The earlier messages."""
        return self._memory

    @memory.setter
    def memory(self, memory: BaseMemory) -> None:
        self._memory = memory

    @property
    def meta(self) -> AgentMeta:
        """Name and description, as BeeAI shows them."""
        return AgentMeta(
            name=self.definition.name, description=self.definition.description, tools=[]
        )

    async def _answer(self, new: Sequence[AnyMessage]) -> AgentOutput:
        output = await self.llm.run(self._asked(new))
        return AgentOutput(output=[await self._remember(new, output)])

    def _asked(self, new: Sequence[AnyMessage]) -> list[AnyMessage]:
        _require_text(new)
        return [SystemMessage(self.definition.instructions), *self._memory.messages, *new]

    async def _remember(
        self, new: Sequence[AnyMessage], output: ChatModelOutput
    ) -> AssistantMessage:
        if output.finish_reason == Finish.LENGTH:
            raise cut(self.llm.binding.reference)  # who reads an agent's answer acts on it
        answer = AssistantMessage(output.get_text_content())
        await self._memory.add_many([*new, answer])
        return answer

    def _attributes(self) -> dict[str, str | None]:
        return {
            GenAI.OPERATION_NAME.value: "invoke_agent",
            GenAI.AGENT_NAME.value: self.definition.name,
            Aurora.ROLE.value: self.definition.role,
        }

    def _create_emitter(self) -> Emitter:
        return Emitter.root().child(namespace=["agent", "soc"], creator=self)


def _require_text(messages: Sequence[AnyMessage]) -> None:
    """Refuse files: a provider, or its library here, would fetch them from their address."""
    for message in messages:
        if not all(isinstance(part, MessageTextContent) for part in message.content):
            detail = "An agent takes text and JSON data only. Send the file's text instead."
            raise InvalidInput(detail)


def _unwrapping(
    handler: Callable[[], Awaitable[AgentOutput]],
) -> Callable[[], Awaitable[AgentOutput]]:
    """Raise our own error where BeeAI wrapped one."""

    async def run() -> AgentOutput:
        try:
            return await handler()
        except FrameworkError as error:
            failure = our_error(error) or error
        raise failure

    return run
