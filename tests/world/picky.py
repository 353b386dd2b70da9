"""A Chat Completions server that refuses what its rules object to, and answers everything else."""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from tests.world.scripted import ScriptedUpstream
from tests.world.vendor.http1 import chunk

Rule = Callable[[Mapping[str, Any]], str | None]
"""Returns the message of the refusal of a body; None takes it."""


class PickyServer(ScriptedUpstream):
    """Plays a server that takes less than OpenAI's.

    Args:
        rules: What it refuses, each with the message that it documents.
        status: The status of its refusals; 200 puts them inside an answer.
        says: The text of its answers.
    """

    def __init__(self, *rules: Rule, status: int = 400, says: str = "pong") -> None:
        """Prepare the server; `url` is valid inside the `with` block."""
        super().__init__(self._answer_last)
        self.rules, self.status, self.says = rules, status, says
        self.streams_errors = True

    @property
    def bodies(self) -> list[dict[str, Any]]:
        """What was asked, in order."""
        return [exchange.body for exchange in self.requests if exchange.method == "POST"]

    def _answer_last(self) -> Iterator[bytes]:
        body = self.requests[-1].body or {}
        refusals = (rule(body) for rule in self.rules)
        refusal = next((message for message in refusals if message is not None), None)
        if refusal is None:
            return self._stream() if body.get("stream") else self._whole()
        error = {"error": {"message": refusal, "type": "invalid_request_error"}}
        if self.status == 200 and body.get("stream") and self.streams_errors:
            return _written(200, "text/event-stream", [f"data: {json.dumps(error)}\n\n"])
        return _written(self.status, "application/json", [json.dumps(error)])

    def _whole(self) -> Iterator[bytes]:
        message = {"role": "assistant", "content": self.says}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        return _written(200, "application/json", [json.dumps(_document(choice))])

    def _stream(self) -> Iterator[bytes]:
        delta = {"role": "assistant", "content": self.says}
        choices = [
            {"index": 0, "delta": delta, "finish_reason": None},
            {"index": 0, "delta": {}, "finish_reason": "stop"},
        ]
        events = [f"data: {json.dumps(_document(choice))}\n\n" for choice in choices]
        return _written(200, "text/event-stream", [*events, "data: [DONE]\n\n"])


def refuses(name: str, message: str = "") -> Rule:
    """Refuse whatever holds a field."""
    said = message or f"Unsupported parameter: '{name}' is not supported with this model."
    return lambda body: said if name in body else None


def refuses_format(kind: str) -> Rule:
    """Refuse a kind of response format, as Groq does."""
    said = f"This model does not support response format `{kind}`."
    return lambda body: said if (body.get("response_format") or {}).get("type") == kind else None


def refuses_role(role: str) -> Rule:
    """Refuse a role, as Gemma's template does."""
    said = f"{role.capitalize()} role not supported"
    return lambda body: said if any(m["role"] == role for m in body["messages"]) else None


def refuses_parts(body: Mapping[str, Any]) -> str | None:
    """Take texts only, as servers do that read messages into a string."""
    lists = any(isinstance(message["content"], list) for message in body["messages"])
    return "messages[0].content: invalid type: sequence, expected a string" if lists else None


def _document(choice: dict[str, Any]) -> dict[str, Any]:
    return {"id": "1", "object": "chat.completion", "created": 1, "choices": [choice]}


def _written(status: int, media_type: str, parts: Iterable[str]) -> Iterator[bytes]:
    head = f"HTTP/1.1 {status} Said\r\ncontent-type: {media_type}\r\ntransfer-encoding: chunked"
    yield f"{head}\r\n\r\n".encode()
    for part in parts:
        yield chunk(part.encode())
    yield chunk(b"")


def refuses_ids(body: Mapping[str, Any]) -> str | None:
    """Take ids of tool calls in one form only, as Mistral does."""
    calls = (call for message in body["messages"] for call in message.get("tool_calls") or ())
    wrong = (call["id"] for call in calls if not re.fullmatch("[a-zA-Z0-9]{9}", call["id"]))
    said = "Tool call id was {} but must be a-z, A-Z, 0-9, with a length of 9."
    return next((said.format(each) for each in wrong), None)
