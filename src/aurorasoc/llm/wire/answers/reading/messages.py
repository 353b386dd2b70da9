"""Anthropic Messages.

Source: platform.claude.com/docs, "Handling stop reasons" and "Streaming messages". A refusal is
a 200 with `stop_details.category`, empty or after some text.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from aurorasoc.llm.wire.answers.outcome import Finish, Reading
from aurorasoc.llm.wire.answers.reading.fields import mapping
from aurorasoc.llm.wire.answers.usage import Usage, tokens

_FINISHES: Final = {
    "end_turn": Finish.STOP,
    "stop_sequence": Finish.STOP,
    "max_tokens": Finish.LENGTH,
    "model_context_window_exceeded": Finish.LENGTH,
    "pause_turn": Finish.LENGTH,  # the vendor's own loop of tool calls came to its limit
    "compaction": Finish.LENGTH,
    "tool_use": Finish.TOOL_CALLS,
    "refusal": Finish.REFUSED,
}
_PROMPT: Final = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")


def read(document: Mapping[str, Any], reading: Reading) -> None:
    """Read a whole answer."""
    reading.answers(document.get("model"))
    reading.counts(_usage(document.get("usage"), {}))
    _end(document, reading)


class EventsRead:
    """Reads a stream: its first event counts the prompt, a later one the answer."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._began: Mapping[str, Any] = {}

    def read(self, event: Mapping[str, Any]) -> None:
        """Read one event."""
        kind = event.get("type")
        if kind == "message_start":
            message = mapping(event.get("message"))
            self._began = mapping(message.get("usage"))
            self._reading.answers(message.get("model"))
        elif kind == "message_delta":
            self._reading.counts(_usage(event.get("usage"), self._began))
            _end(mapping(event.get("delta")), self._reading)


def _end(fields: Mapping[str, Any], reading: Reading) -> None:
    reason = fields.get("stop_reason")
    if isinstance(reason, str):
        finish = _FINISHES.get(reason, Finish.UNKNOWN)
        category = mapping(fields.get("stop_details")).get("category")
        reading.ends(finish, reason if finish is Finish.UNKNOWN else category)


def _usage(fields: object, began: Mapping[str, Any]) -> Usage | None:
    """Count; what a stream's last event leaves out stood in its first."""
    last = mapping(fields)
    answered = tokens(last.get("output_tokens"))
    counts = [tokens(last.get(name, began.get(name))) for name in _PROMPT]
    if answered is None or counts[0] is None:
        return None
    asked = sum(count or 0 for count in counts)
    if not asked + answered:
        return None
    _, written, cached = counts
    return Usage(
        asked, answered, asked + answered, cached_tokens=cached, cache_write_tokens=written
    )
