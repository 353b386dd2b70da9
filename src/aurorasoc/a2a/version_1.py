"""Version 1.0 of the protocol: parses parameters, calls the handler, and returns JSON."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any, Final

from a2a.server.context import ServerCallContext
from a2a.server.request_handlers import RequestHandler
from a2a.server.routes.common import serialize_list_tasks_response
from a2a.types import (
    CancelTaskRequest,
    GetTaskRequest,
    ListTasksRequest,
    SendMessageRequest,
    SendMessageResponse,
    SubscribeToTaskRequest,
    Task,
)
from a2a.utils.errors import (
    A2AError,
    InvalidParamsError,
    PushNotificationNotSupportedError,
    TaskNotFoundError,
    UnsupportedOperationError,
)
from a2a.utils.proto_utils import to_stream_response
from google.protobuf.json_format import MessageToDict, ParseDict, ParseError
from google.protobuf.message import Message as ProtoMessage

from aurorasoc.a2a.failures import details_of

NAME: Final = "1.0"

_Answer = Callable[[RequestHandler, Any, ServerCallContext], Awaitable[dict[str, Any]]]


async def _send(
    handler: RequestHandler, request: SendMessageRequest, context: ServerCallContext
) -> dict[str, Any]:
    result = await handler.on_message_send(request, context)
    if isinstance(result, Task):
        return _shown(SendMessageResponse(task=result))
    return _shown(SendMessageResponse(message=result))


async def _get(
    handler: RequestHandler, request: GetTaskRequest, context: ServerCallContext
) -> dict[str, Any]:
    return _task(await handler.on_get_task(request, context))


async def _cancel(
    handler: RequestHandler, request: CancelTaskRequest, context: ServerCallContext
) -> dict[str, Any]:
    return _task(await handler.on_cancel_task(request, context))


async def _list(
    handler: RequestHandler, request: ListTasksRequest, context: ServerCallContext
) -> dict[str, Any]:
    page = await handler.on_list_tasks(request, context)
    return serialize_list_tasks_response(page, request.include_artifacts)


def _task(task: Task | None) -> dict[str, Any]:
    if task is None:
        raise TaskNotFoundError
    return _shown(task)


def _shown(message: ProtoMessage) -> dict[str, Any]:
    document: dict[str, Any] = MessageToDict(message)
    return document


_WHOLE: Final[dict[str, tuple[type, _Answer]]] = {
    "SendMessage": (SendMessageRequest, _send),
    "GetTask": (GetTaskRequest, _get),
    "ListTasks": (ListTasksRequest, _list),
    "CancelTask": (CancelTaskRequest, _cancel),
}

_STREAMED: Final[dict[str, type]] = {
    "SendStreamingMessage": SendMessageRequest,
    "SubscribeToTask": SubscribeToTaskRequest,
}

_REFUSED: Final[dict[str, type[A2AError]]] = {
    "CreateTaskPushNotificationConfig": PushNotificationNotSupportedError,
    "GetTaskPushNotificationConfig": PushNotificationNotSupportedError,
    "ListTaskPushNotificationConfigs": PushNotificationNotSupportedError,
    "DeleteTaskPushNotificationConfig": PushNotificationNotSupportedError,
    "GetExtendedAgentCard": UnsupportedOperationError,
}


class VersionOne:
    """Speaks version 1.0.

    Args:
        handler: Answers its requests.
    """

    methods: Final = frozenset((*_WHOLE, *_STREAMED, *_REFUSED))
    streamed: Final = frozenset(_STREAMED)
    details = staticmethod(details_of)
    streams_errors: Final = False

    def __init__(self, handler: RequestHandler) -> None:
        self._handler = handler

    async def answer(self, method: str, params: dict[str, Any], context: ServerCallContext) -> Any:  # noqa: ANN401 - JSON
        """Call a method that isn't streamed, and return its result as JSON.

        Raises:
            A2AError: It is refused.
        """
        if method in _REFUSED:
            raise _REFUSED[method]
        kind, answer = _WHOLE[method]
        return await answer(self._handler, _parsed(params, kind), context)

    async def events(
        self, method: str, params: dict[str, Any], context: ServerCallContext
    ) -> AsyncGenerator[Any]:
        """Call a streamed method, and yield its events as JSON.

        Raises:
            A2AError: It is refused.
        """
        request = _parsed(params, _STREAMED[method])
        if method == "SubscribeToTask":
            events = self._handler.on_subscribe_to_task(request, context)
        else:
            events = self._handler.on_message_send_stream(request, context)
        async for event in events:
            yield _shown(to_stream_response(event))


def _parsed(params: dict[str, Any], kind: type) -> Any:  # noqa: ANN401 - one of the SDK's messages
    try:
        return ParseDict(params, kind(), ignore_unknown_fields=True)
    except (ParseError, TypeError, ValueError, AttributeError):
        pass
    raise InvalidParamsError
