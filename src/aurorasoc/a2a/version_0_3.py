"""Version 0.3 of the protocol, by the SDK's conversions to and from 1.0."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, Final, cast

from a2a.compat.v0_3 import types
from a2a.compat.v0_3.request_handler import RequestHandler03
from a2a.server.context import ServerCallContext
from a2a.server.request_handlers import RequestHandler
from a2a.utils.errors import (
    A2AError,
    ExtendedAgentCardNotConfiguredError,
    InvalidParamsError,
    PushNotificationNotSupportedError,
)
from pydantic import BaseModel, ValidationError

NAME: Final = "0.3"

_WHOLE: Final[dict[str, tuple[type[BaseModel], str]]] = {
    "message/send": (types.SendMessageRequest, "on_message_send"),
    "tasks/get": (types.GetTaskRequest, "on_get_task"),
    "tasks/cancel": (types.CancelTaskRequest, "on_cancel_task"),
}

_STREAMED: Final[dict[str, tuple[type[BaseModel], str]]] = {
    "message/stream": (types.SendStreamingMessageRequest, "on_message_send_stream"),
    "tasks/resubscribe": (types.TaskResubscriptionRequest, "on_subscribe_to_task"),
}

_REFUSED: Final[dict[str, type[A2AError]]] = {
    "tasks/pushNotificationConfig/set": PushNotificationNotSupportedError,
    "tasks/pushNotificationConfig/get": PushNotificationNotSupportedError,
    "tasks/pushNotificationConfig/list": PushNotificationNotSupportedError,
    "tasks/pushNotificationConfig/delete": PushNotificationNotSupportedError,
    "agent/getAuthenticatedExtendedCard": ExtendedAgentCardNotConfiguredError,
}


class VersionZeroThree:
    """Speaks version 0.3.

    Args:
        handler: Answers its requests.
    """

    methods: Final = frozenset((*_WHOLE, *_STREAMED, *_REFUSED))
    streamed: Final = frozenset(_STREAMED)
    streams_errors: Final = True

    def __init__(self, handler: RequestHandler) -> None:
        self._handler = RequestHandler03(handler)

    @staticmethod
    def details(_error: A2AError) -> None:
        """Return nothing: details came with 1.0."""

    async def answer(self, method: str, params: dict[str, Any], context: ServerCallContext) -> Any:  # noqa: ANN401 - JSON
        """Call a method that isn't streamed, and return its result as JSON.

        Raises:
            A2AError: It is refused.
        """
        if method in _REFUSED:
            raise _REFUSED[method]
        kind, name = _WHOLE[method]
        request = _parsed(method, params, kind)
        return _shown(await getattr(self._handler, name)(request, context))

    async def events(
        self, method: str, params: dict[str, Any], context: ServerCallContext
    ) -> AsyncGenerator[Any]:
        """Call a streamed method, and yield its events as JSON.

        Raises:
            A2AError: It is refused.
        """
        kind, name = _STREAMED[method]
        request = _parsed(method, params, kind)
        events = cast("AsyncGenerator[Any]", getattr(self._handler, name)(request, context))
        async with aclosing(events):
            async for event in events:
                yield _shown(event)["result"]


def _parsed(method: str, params: dict[str, Any], kind: type[BaseModel]) -> BaseModel:
    document = {"jsonrpc": "2.0", "id": 0, "method": method, "params": params}
    try:
        return kind.model_validate(document)
    except ValidationError:
        pass
    raise InvalidParamsError


def _shown(result: BaseModel) -> Any:  # noqa: ANN401 - JSON
    return result.model_dump(mode="json", by_alias=True, exclude_none=True)
