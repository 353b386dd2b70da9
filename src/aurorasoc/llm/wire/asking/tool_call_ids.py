"""Ids of tool calls in the one form that every vendor takes.

An id names a call within its conversation, and has no other meaning. OpenAI's are longer than
Mistral takes, BeeAI's and LiteLLM's hold characters that others refuse. A conversation that goes on
elsewhere, and one whose calls BeeAI made itself, holds ids that its vendor did not write.

Sources: mistral-common (`^[a-zA-Z0-9]{9}$`), OpenAI ("string too long. Expected a string with
maximum length 40"), Anthropic (`^[a-zA-Z0-9_-]+$`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from hashlib import sha256
from typing import Any, Final

_TAKEN: Final = re.compile(r"[a-zA-Z0-9]{9}")
_LENGTH: Final = 9


def holds_foreign_ids(messages: Sequence[dict[str, Any]]) -> bool:
    """Whether a conversation holds ids that not every vendor takes."""
    return any(not _TAKEN.fullmatch(each) for message in messages for each in _ids(message))


def with_plain_ids(messages: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return a conversation whose ids every vendor takes; equal ones stay equal."""
    return [_renamed(message) for message in messages]


def _ids(message: dict[str, Any]) -> Iterator[str]:
    yield from (str(call.get("id")) for call in message.get("tool_calls") or ())
    if "tool_call_id" in message:
        yield str(message["tool_call_id"])


def _renamed(message: dict[str, Any]) -> dict[str, Any]:
    if calls := message.get("tool_calls"):
        message = message | {
            "tool_calls": [call | {"id": _plain(call.get("id"))} for call in calls]
        }
    if "tool_call_id" in message:
        message = message | {"tool_call_id": _plain(message["tool_call_id"])}
    return message


def _plain(written: object) -> str:
    text = str(written)
    if _TAKEN.fullmatch(text):
        return text
    return sha256(text.encode(errors="replace")).hexdigest()[:_LENGTH]
