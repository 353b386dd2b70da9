"""Runs an agent for each message: built anew, bounded in time and in number."""

from __future__ import annotations

import asyncio
from typing import Final

from a2a.server.agent_execution import AgentExecutor, RequestContext
from a2a.server.events import EventQueue
from a2a.server.tasks import TaskUpdater
from a2a.types import AgentCard
from a2a.utils import new_agent_text_message
from beeai_framework.adapters.a2a.serve.executors.base_a2a_agent_executor import (
    BaseA2AAgentExecutor,
)

from aurorasoc.a2a.callers import caller_of, owner_of
from aurorasoc.a2a.memory import OwnConversations, RecentConversations
from aurorasoc.agents.factory import AgentFactory
from aurorasoc.agents.registry import AgentDefinition
from aurorasoc.core.inbound.limits import CallerLimit
from aurorasoc.core.logs import get_logger
from aurorasoc.errors import AuroraError, RequestTimeout
from aurorasoc.runtime import current_runtime

RUN_SECONDS: Final = 600.0
"""How long a run may take, all of its model calls and their retries together."""

_RUNS: Final = CallerLimit(200, most_each=50, things="agent runs")

log = get_logger("aurorasoc.a2a")


class PerMessage(AgentExecutor):
    """Builds a new agent for each message, and runs it with BeeAI's executor.

    So each message adopts a newer revision first, and is then pinned. A failed build or a
    cancellation ends only its own task: BeeAI's own cancellation stops every later run, too.

    Args:
        definition: The agent that answers.
        card: Its card.
        tlp: Label of the data that it gets.
    """

    def __init__(self, definition: AgentDefinition, card: AgentCard, tlp: str | None) -> None:
        self._definition = definition
        self._card = card
        self._tlp = tlp
        self._memories = RecentConversations()

    async def execute(self, context: RequestContext, event_queue: EventQueue) -> None:
        """Answer a message; an error of ours fails the task, with our own text."""
        caller, memories = caller_of(context.call_context), self._memories_of(context)
        try:
            with _RUNS.taken(None if caller is None else caller.subject):
                await self._run(context, event_queue, memories)
        except AuroraError as error:
            log.warning("not answered", code=error.code, detail=error.detail)
            message = new_agent_text_message(error.detail, context.context_id, context.task_id)
            await _updater(context, event_queue).failed(message)
        finally:
            memories.settle(context.context_id)

    async def _run(
        self, context: RequestContext, event_queue: EventQueue, memories: OwnConversations
    ) -> None:
        """Build an agent, and let it answer.

        Raises:
            RequestTimeout: It takes too long.
        """
        late = asyncio.timeout(RUN_SECONDS)
        try:
            async with late:
                agent = await AgentFactory(current_runtime()).build(
                    self._definition.name, tlp=self._tlp
                )
                run = BaseA2AAgentExecutor(agent, self._card, memory_manager=memories)
                await run.execute(context, event_queue)
        except TimeoutError:
            if not late.expired():
                raise
        else:
            return
        detail = f"The agent didn't answer within {RUN_SECONDS:.0f} seconds. Send less at once."
        raise RequestTimeout(detail)

    def _memories_of(self, context: RequestContext) -> OwnConversations:
        return self._memories.of(owner_of(context.call_context))

    async def cancel(self, context: RequestContext, event_queue: EventQueue) -> None:
        """Mark the task as cancelled; the request handler ends its run."""
        await _updater(context, event_queue).cancel()


def _updater(context: RequestContext, event_queue: EventQueue) -> TaskUpdater:
    return TaskUpdater(event_queue, context.task_id or "", context.context_id or "")
