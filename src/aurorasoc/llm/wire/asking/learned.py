"""What was learnt of each model by asking: what it refuses, how it thinks, what a test found.

In memory, for this process; `llm.models.learned_rows` shares it with the fleet. It holds for one
provider, origin and model: another origin or model starts with nothing known.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Literal

from aurorasoc.granite import ModelReference

MAX_PLACES: Final = 512
"""Models of which something is remembered; the one that was learnt first is forgotten first."""


class Refusable(StrEnum):
    """What a model may refuse and a request can do without. The values are stored.

    What changes the meaning of an answer (tools, `stop`) is never left out.
    """

    TEMPERATURE = "temperature"
    TOP_P = "top_p"
    TOP_K = "top_k"
    FREQUENCY_PENALTY = "frequency_penalty"
    PRESENCE_PENALTY = "presence_penalty"
    SEED = "seed"
    PARALLEL_TOOL_CALLS = "parallel_tool_calls"
    REASONING_EFFORT = "reasoning_effort"
    STREAM_OPTIONS = "stream_options"
    MAX_TOKENS = "max_tokens"
    MAX_COMPLETION_TOKENS = "max_completion_tokens"
    JSON_SCHEMA = "json_schema"
    JSON_OBJECT = "json_object"
    SYSTEM_ROLE = "system_role"
    TOOL_CALL_IDS = "tool_call_ids"


StructuredOutput = Literal["json_schema", "json_object", "prompt", "none"]


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a test found a model to do. None: not known.

    Attributes:
        chat: Whether it answers a message.
        stream: Whether it streams.
        tools: Whether it calls a tool that it is offered.
        structured_output: How it is asked for a JSON object of a given form; `none`: in no way.
        system_role: Whether it takes system messages.
        temperature: Whether it takes a temperature.
        context_window: Tokens of prompt and answer together.
        max_output_tokens: Tokens of an answer.
        counts_tokens: Whether its answers and streams name the tokens used.
        left_out: What it refuses, by the names of `Refusable`: calls leave that out, or say it in
            another way.
        asked_at: When this was asked.
    """

    chat: bool | None = None
    stream: bool | None = None
    tools: bool | None = None
    structured_output: StructuredOutput | None = None
    system_role: bool | None = None
    temperature: bool | None = None
    context_window: int | None = None
    max_output_tokens: int | None = None
    counts_tokens: bool | None = None
    left_out: tuple[str, ...] | None = None
    asked_at: str | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """What knowledge of a model holds for."""

    provider: str
    origin: str
    model: str

    @classmethod
    def of(cls, reference: ModelReference) -> Place:
        """Return where a reference's calls go."""
        return cls(reference.provider.value, reference.origin, reference.model)


@dataclass(frozen=True, slots=True)
class Knowledge:
    """What is known of one model.

    Attributes:
        refused: What it refuses.
        capabilities: What the last test found.
        thinks_untagged: Whether its thoughts come as text, with a tag at their end and none at
            their beginning.
    """

    refused: frozenset[Refusable] = frozenset()
    capabilities: Capabilities | None = None
    thinks_untagged: bool = False


@dataclass(frozen=True, slots=True)
class Lesson:
    """One thing that was learnt of a model, or that it is to be forgotten.

    Attributes:
        place: The model.
        refused: What it refuses.
        capabilities: What a test found.
        thinks_untagged: As in `Knowledge`; None if nothing was learnt of that.
        forget: Whether what was known before is forgotten, but for `thinks_untagged`: without it
            the next stream would show thoughts. Only a finding replaces it.
    """

    place: Place
    refused: frozenset[Refusable] = frozenset()
    capabilities: Capabilities | None = None
    thinks_untagged: bool | None = None
    forget: bool = False

    def added_to(self, known: Knowledge) -> Knowledge:
        """Return what is known with this lesson."""
        before = _NOTHING if self.forget else known
        untagged = self.thinks_untagged
        return Knowledge(
            before.refused | self.refused,
            self.capabilities or before.capabilities,
            known.thinks_untagged if untagged is None else untagged,
        )


_NOTHING: Final = Knowledge()


class Learned:
    """What is known of all models, in this process.

    Attributes:
        on_lesson: Is told of each lesson that was learnt here.
    """

    def __init__(self) -> None:
        self.on_lesson: Callable[[Lesson], None] = _tell_nobody
        self._known: dict[Place, Knowledge] = {}

    def of(self, place: Place) -> Knowledge:
        """Return what is known of a model."""
        return self._known.get(place, _NOTHING)

    def learn(self, lesson: Lesson) -> None:
        """Remember a lesson."""
        known = self.of(lesson.place)
        after = lesson.added_to(known)
        if after == known:
            return
        others = {place: known for place, known in self._known.items() if place != lesson.place}
        self._known = dict(list(others.items())[1 - MAX_PLACES :])
        if after != _NOTHING:
            self._known[lesson.place] = after
        self.on_lesson(lesson)

    def replace(self, known: Mapping[Place, Knowledge]) -> None:
        """Put what the fleet knows in place of what this process knew."""
        self._known = dict(list(known.items())[-MAX_PLACES:])


def _tell_nobody(_lesson: Lesson) -> None:
    """Nobody shares what this process learns."""
