"""Answers the requests of both versions: the SDK's handler, and what it lets pass."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from a2a.server.context import ServerCallContext
from a2a.server.events import Event
from a2a.server.request_handlers import DefaultRequestHandlerV2
from a2a.types import Message, SendMessageRequest, Task
from a2a.utils.errors import (
    InvalidParamsError,
    PushNotificationNotSupportedError,
    TaskNotFoundError,
)

from aurorasoc.a2a.failures import TaskTakesNoMore
from aurorasoc.a2a.incoming import require_answerable


class AgentRequests(DefaultRequestHandlerV2):
    """The SDK's handler for agents whose tasks take one message each."""

    async def on_message_send(
        self, params: SendMessageRequest, context: ServerCallContext
    ) -> Message | Task:
        """Begin a task, and return it when it has ended, or at once if that is asked for."""
        await self._require_new(params, context)
        result: Message | Task = await super().on_message_send(params, context)
        return result

    async def on_message_send_stream(
        self, params: SendMessageRequest, context: ServerCallContext
    ) -> AsyncGenerator[Event]:
        """Begin a task, and yield it and all that happens to it."""
        await self._require_new(params, context)
        async with aclosing(super().on_message_send_stream(params, context)) as events:
            async for event in events:
                yield event

    async def _require_new(self, params: SendMessageRequest, context: ServerCallContext) -> None:
        """Refuse what begins no task that an agent can answer.

        Raises:
            A2AError: The message is another kind's, or continues a task, or asks for a push.
        """
        message = params.message
        if message.task_id:
            task = await self.task_store.get(message.task_id, context)
            if not isinstance(task, Task):
                raise TaskNotFoundError
            if message.context_id and message.context_id != task.context_id:
                raise InvalidParamsError
            raise TaskTakesNoMore
        require_answerable(message)
        if params.configuration.HasField("task_push_notification_config"):
            raise PushNotificationNotSupportedError
