"""Puts tool calls together from a message, or from the pieces of a stream.

Pieces belong together by their index, calls are told apart by their ids. Ollama numbers all calls 0
(ollama/ollama#15457), as LiteLLM does those of a whole Responses answer; vLLMs of 2024 and 2025
send another id with each piece.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A tool that the model wants called; `arguments` is JSON, as the model wrote it."""

    id: str
    name: str
    arguments: str


class ToolCallsRead:
    """Collects the tool calls of one answer, in the order in which they come."""

    __slots__ = ("_begun", "_by_index")

    def __init__(self) -> None:
        self._begun: list[list[str]] = []
        self._by_index: dict[int, list[str]] = {}

    def __bool__(self) -> bool:
        return bool(self._begun)

    def read(self, calls: Any) -> None:  # noqa: ANN401 - litellm's, of a message or a piece of one
        """Read calls, or pieces of them; each is given its call's id, by which BeeAI joins them."""
        for place, call in enumerate(calls or ()):
            index = getattr(call, "index", None)
            parts = self._parts_of(place if index is None else index, call)
            parts[0] = call.id = parts[0] or call.id or ""
            parts[1] = parts[1] or call.function.name or ""
            parts.append(call.function.arguments or "")

    def made(self) -> tuple[ToolCall, ...]:
        """Return the calls so far."""
        return tuple(
            ToolCall(call, name, "".join(arguments)) for call, name, *arguments in self._begun
        )

    def _parts_of(self, index: int, call: Any) -> list[str]:  # noqa: ANN401 - one of litellm's
        parts = self._by_index.get(index)
        begins = call.function.name and call.id
        if parts is None or (begins and parts[0] and call.id != parts[0]):
            parts = self._by_index[index] = ["", ""]
            self._begun.append(parts)
        return parts
