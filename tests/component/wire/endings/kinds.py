"""How answers can end, and what callers are told: what the rows of the table are made of."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final, Self

from aurorasoc.errors import ModelCallError
from aurorasoc.llm.wire.answers.outcome import Finish
from aurorasoc.llm.wire.answers.usage import Usage
from tests.world.vendor import Fault
from tests.world.vendor_bodies import ANSWERING_MODEL, lost

PARTIAL: Final = "The payload first disables"
"""Half an answer."""

ARGUMENTS: Final = '{"address": "192.0.2.1"}'
OTHER_ARGUMENTS: Final = '{"address": "192.0.2.2"}'
HALF_ARGUMENTS: Final = '{"address": "192'
TWO_CALLS_MADE: Final = (("lookup", ARGUMENTS), ("lookup", OTHER_ARGUMENTS))
LIMIT: Final = 100
"""Tokens: the limit that thoughts use up."""


class Ending(StrEnum):
    """The columns: one each."""

    COUNTED = "counted"
    UNCOUNTED = "uncounted"
    TOOL_CALL = "tool call"
    THOUGHTS_APART = "thoughts apart"
    THOUGHTS_ONLY = "thoughts only"
    EMPTY = "empty"
    CUT = "cut by a limit"
    CUT_TOOL_CALL = "tool call cut by a limit"
    UNREADABLE_TOOL_CALL = "unreadable tool call"
    REFUSED = "refused"
    BLOCKED = "answer blocked"
    BLOCKED_PROMPT = "prompt blocked"
    BROKEN_OFF = "broken off"
    FAILED = "failed in mid-answer"
    UNKNOWN = "unknown end"


class Form(StrEnum):
    """How the answer comes."""

    WHOLE = "whole"
    STREAMED = "streamed"


@dataclass(frozen=True)
class Answered:
    """The call's outcome. `{model}` stands for the model that was asked."""

    text: str = "pong"
    finish: Finish = Finish.STOP
    thoughts: str = ""
    usage: Usage | None = None
    tool_calls: tuple[tuple[str, str], ...] = ()
    model: str = ANSWERING_MODEL

    @classmethod
    def as_usual(cls, usage: Usage | None) -> Self:
        """Return what comes of the vendor's server as it is."""
        return cls("{model} says: pong", usage=usage, model="{model}")

    def by(self, model: str) -> Self:
        """Return what is expected of a model."""
        return replace(
            self, text=self.text.format(model=model), model=self.model.format(model=model)
        )


@dataclass(frozen=True)
class Failed:
    """The call's error, and the vendor's word for why it stopped the call."""

    leaf: type[ModelCallError]
    category: str | None = None


@dataclass(frozen=True)
class Case:
    """One way in which an answer ends, in the vendor's own words.

    Attributes:
        ending: Which column it belongs to.
        name: What tells it from the column's others.
        replies: What comes over the wire, by form.
        expected: What callers are told.
    """

    ending: Ending
    name: str
    replies: Mapping[Form, Fault]
    expected: Answered | Failed


@dataclass(frozen=True)
class Never:
    """Why an answer can't end so there, by what the vendor documents."""

    ending: Ending
    why: str
    forms: Collection[Form] = frozenset(Form)


Rows = tuple[Case | Never, ...]
Write = Callable[[bool], Fault]
"""Writes a reply; streamed, if so asked."""


def both(ending: Ending, name: str, expected: Answered | Failed, write: Write) -> Case:
    """Return a case that is the same, whole and streamed."""
    replies = {Form.WHOLE: write(False), Form.STREAMED: write(True)}  # noqa: FBT003 - the form
    return Case(ending, name, replies, expected)


def whole_only(ending: Ending, name: str, expected: Answered | Failed, reply: Fault) -> Case:
    """Return a case of whole answers."""
    return Case(ending, name, {Form.WHOLE: reply}, expected)


def streamed_only(ending: Ending, name: str, expected: Answered | Failed, reply: Fault) -> Case:
    """Return a case of streams."""
    return Case(ending, name, {Form.STREAMED: reply}, expected)


def as_served(usage: Usage) -> Case:
    """Return the case that the vendor's server answers by itself, which is counted."""
    expected = Answered.as_usual(usage)
    return both(Ending.COUNTED, "as usual", expected, lambda _: Fault())


def cut_off(expected: Failed, write: Write) -> Case:
    """Return the case that the connection is lost in mid-answer."""
    return both(Ending.BROKEN_OFF, "connection lost", expected, lambda stream: lost(write(stream)))


def function(arguments: str, name: str = "lookup") -> dict[str, Any]:
    """Return a tool call of a Chat Completion."""
    return {
        "id": "call_1",
        "type": "function",
        "function": {"name": name, "arguments": arguments},
    }
