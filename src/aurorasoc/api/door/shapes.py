"""What goes out: OpenAI's completion, and the chunks of a streamed one."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Iterable, Sequence
from typing import Any, Final

from aurorasoc.llm.wire.answers.tool_calls import ToolCall
from aurorasoc.llm.wire.answers.usage import Usage
from aurorasoc.workflows.completion import Answering, Ending, Piece, Whole

DONE: Final = "data: [DONE]\n\n"
"""Ends a stream that is whole."""


def model(name: str) -> dict[str, Any]:
    """Return one name that `model` takes. It is as old as nothing: what answers may change."""
    return {"id": name, "object": "model", "created": 0, "owned_by": "aurorasoc"}


def completion(answer: Whole) -> dict[str, Any]:
    """Return a whole answer. Where nothing is counted, there is no `usage`."""
    said = answer.said
    message: dict[str, Any] = {"role": "assistant", "content": said.text or None, "refusal": None}
    if said.thoughts:
        message["reasoning_content"] = said.thoughts
    if said.tool_calls:
        message["tool_calls"] = [_call(call) for call in said.tool_calls]
    shown = _head("chat.completion", answer.answering.model)
    shown["choices"] = [
        {
            "index": 0,
            "message": message,
            "logprobs": None,
            "finish_reason": answer.ending.finish.value,
        }
    ]
    if answer.ending.usage is not None:
        shown["usage"] = usage_of(answer.ending.usage)
    return shown


def usage_of(usage: Usage) -> dict[str, Any]:
    """Return tokens as the provider counted them."""
    shown: dict[str, Any] = usage.totals()
    if usage.thought_tokens is not None:
        shown["completion_tokens_details"] = {"reasoning_tokens": usage.thought_tokens}
    return shown


class Chunks:
    """Makes the events of one stream.

    Args:
        answering: Who answers.
        counts: Whether a last chunk is to say the tokens.
    """

    def __init__(self, answering: Answering, *, counts: bool) -> None:
        self._head = _head("chat.completion.chunk", answering.model)
        self._counts = counts
        self._calls = 0
        self._begun = False

    def of_piece(self, piece: Piece) -> str | None:
        """Return the event for a piece; None: there is nothing to say."""
        delta: dict[str, Any] = {}
        if piece.thoughts:
            delta["reasoning_content"] = piece.thoughts
        if piece.text:
            delta["content"] = piece.text
        if piece.tool_calls:
            delta["tool_calls"] = list(self._numbered(piece.tool_calls))
        if not delta:
            return None
        return self._event([_choice(self._opened(delta))])

    def of_ending(self, ending: Ending) -> Iterable[str]:
        """Yield the events that end a whole answer."""
        yield self._event([_choice(self._opened({}), ending.finish.value)])
        if self._counts and ending.usage is not None:
            self._counts = False
            yield _data(self._head | {"choices": [], "usage": usage_of(ending.usage)})
        yield DONE

    def _opened(self, delta: dict[str, Any]) -> dict[str, Any]:
        if self._begun:
            return delta
        self._begun = True
        return {"role": "assistant", **delta}

    def _numbered(self, calls: Sequence[ToolCall]) -> Iterable[dict[str, Any]]:
        for call in calls:
            yield {"index": self._calls, **_call(call)}
            self._calls += 1

    def _event(self, choices: list[dict[str, Any]]) -> str:
        shown = self._head | {"choices": choices}
        return _data(shown | {"usage": None} if self._counts else shown)


def _head(kind: str, model: str) -> dict[str, Any]:
    return {
        "id": f"chatcmpl-{secrets.token_hex(12)}",
        "object": kind,
        "created": int(time.time()),
        "model": model,
    }


def _choice(delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
    return {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}


def _call(call: ToolCall) -> dict[str, Any]:
    return {
        "id": call.id,
        "type": "function",
        "function": {"name": call.name, "arguments": call.arguments},
    }


def _data(document: dict[str, Any]) -> str:
    return f"data: {json.dumps(document)}\n\n"
