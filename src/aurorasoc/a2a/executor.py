"""Runs an agent for each message: built anew, bounded in time and in number."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from datetime import UTC, datetime
from typing import Final

from a2a.helpers import new_text_message
from a2a.server.agent_execution import AgentExecutor, RequestContext
from a2a.server.events import EventQueue
from a2a.server.tasks import TaskUpdater
from a2a.types import Message, Task, TaskState, TaskStatus
from beeai_framework.backend.message import AnyMessage, MessageTextContent, UserMessage

from aurorasoc.a2a.callers import caller_of, is_streamed
from aurorasoc.a2a.conversations import RecentConversations
from aurorasoc.a2a.pieces import AnswerArtifact
from aurorasoc.agents.factory import AgentFactory
from aurorasoc.agents.registry import AgentDefinition
from aurorasoc.agents.soc_agent import SocAgent
from aurorasoc.core.access.acting import Acting, acting_for
from aurorasoc.core.inbound.limits import CallerLimit
from aurorasoc.core.logs import get_logger
from aurorasoc.errors import AuroraError, RequestTimeout
from aurorasoc.runtime import current_runtime

RUN_SECONDS: Final = 600.0
"""How long a run may take, all of its model calls and their retries together."""

_RUNS: Final = CallerLimit(200, most_each=50, things="agent runs")

log = get_logger("aurorasoc.a2a")


class PerMessage(AgentExecutor):
    """Builds a new agent for each message.

    So each message adopts a newer revision first, and is then pinned. A failure or a cancellation
    ends only its own task.

    Args:
        definition: The agent that answers.
        tlp: Label of the data that it gets.
    """

    def __init__(self, definition: AgentDefinition, tlp: str | None) -> None:
        self._definition = definition
        self._tlp = tlp
        self._conversations = RecentConversations()
        self._running: dict[str, TaskUpdater] = {}

    async def execute(self, context: RequestContext, event_queue: EventQueue) -> None:
        """Answer a message: the task completes with the answer, or fails with our own text."""
        task_id, context_id = _ids_of(context)
        updates = self._running[task_id] = TaskUpdater(event_queue, task_id, context_id)
        try:
            await event_queue.enqueue_event(_begun(context))
            await self._answer(context, updates)
        except AuroraError as error:
            log.warning("not answered", code=error.code, detail=error.detail)
            await updates.failed(_said(error.detail, context))
        except Exception as failure:  # noqa: BLE001 - nothing of it may reach the caller or the log
            log.error("run failed", error=type(failure).__name__)  # noqa: TRY400 - as above
            detail = "Internal error. See the agent's log."
            await updates.failed(_said(detail, context))
        finally:
            del self._running[task_id]

    async def cancel(self, context: RequestContext, event_queue: EventQueue) -> None:  # noqa: ARG002 - events of a run go through its own updater
        """Mark the task as cancelled, unless it has just ended; the SDK then ends its run."""
        updates = self._running.get(_ids_of(context)[0])
        if updates is not None and not updates._terminal_state_reached:  # noqa: SLF001 - else it raises, and the SDK writes FAILED over the end
            await updates.cancel()

    async def _answer(self, context: RequestContext, updates: TaskUpdater) -> None:
        """Let the agent answer, in time.

        Raises:
            RateLimited: Too many runs are under way.
            RequestTimeout: It takes too long.
            AuroraError: What building or asking the agent raises.
        """
        caller = caller_of(context.call_context)
        subject = None if caller is None else caller.subject
        with _RUNS.taken(subject), acting_for(Acting.of(caller)):
            await updates.start_work()
            async with _in_time(), self._agent(context) as agent:
                answer = AnswerArtifact(updates)
                await _ask(agent, context, answer)
        await answer.finish()
        await updates.complete()

    @asynccontextmanager
    async def _agent(self, context: RequestContext) -> AsyncIterator[SocAgent]:
        """Build an agent, pinned to the model in force, and give it the conversation."""
        owner, context_id = context.call_context.user.user_name, _ids_of(context)[1]
        built = await AgentFactory(current_runtime()).build(self._definition.name, tlp=self._tlp)
        agent = await built.clone()
        agent.memory = self._conversations.use(owner, context_id)
        try:
            yield agent
        finally:
            self._conversations.settle(owner, context_id)


async def _ask(agent: SocAgent, context: RequestContext, answer: AnswerArtifact) -> None:
    """Ask the agent: whole, unless somebody reads along; only a whole answer can be asked anew."""
    asked: list[AnyMessage] = [_question(context.message)]
    if is_streamed(context.call_context):
        async with answer.sent_on_the_way(), aclosing(agent.stream(asked)) as pieces:
            async for piece in pieces:
                answer.add(piece)
    else:
        output = await agent.run(asked)
        answer.add(output.last_message.text)


@asynccontextmanager
async def _in_time() -> AsyncIterator[None]:
    late = asyncio.timeout(RUN_SECONDS)
    try:
        async with late:
            yield
    except TimeoutError:
        if not late.expired():
            raise
    else:
        return
    detail = f"The agent didn't answer within {RUN_SECONDS:.0f} seconds. Send less at once."
    raise RequestTimeout(detail)


def _question(message: Message | None) -> UserMessage:
    """Return a message as models get it; its parts are text (`incoming`)."""
    parts = [] if message is None else message.parts
    return UserMessage([MessageTextContent(text=part.text) for part in parts])


def _said(text: str, context: RequestContext) -> Message:
    task_id, context_id = _ids_of(context)
    return new_text_message(text, context_id=context_id, task_id=task_id)


def _begun(context: RequestContext) -> Task:
    task_id, context_id = _ids_of(context)
    status = TaskStatus(state=TaskState.TASK_STATE_SUBMITTED)
    status.timestamp.FromDatetime(datetime.now(UTC))
    history = [context.message] if context.message else []
    return Task(id=task_id, context_id=context_id, status=status, history=history)


def _ids_of(context: RequestContext) -> tuple[str, str]:
    return context.task_id or "", context.context_id or ""
