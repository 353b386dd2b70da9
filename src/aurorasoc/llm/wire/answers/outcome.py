"""What came back from a call to a model: one typed value, in place of guesses.

LiteLLM makes up finish reasons and token counts where a vendor's words don't fit its own. So the
vendor's own fields are read, by one module of `reading` for each wire format.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, Protocol

from aurorasoc.errors import Attempt
from aurorasoc.granite import ModelReference
from aurorasoc.llm.wire.answers.tool_calls import ToolCall, ToolCallsRead
from aurorasoc.llm.wire.answers.usage import Usage
from aurorasoc.llm.wire.asking.learned import Refusable

_PLACE: Final = "aurorasoc.outcome"
_BEGINNING: Final = "aurorasoc.beginning"
_WORD: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ,._:/@+-]{0,99}")
"""What may be repeated of a vendor's field: it goes into answers, logs and labels."""


class Finish(StrEnum):
    """How an answer ended, in terms that all vendors share."""

    STOP = "stop"
    """The model was done."""

    LENGTH = "length"
    """Cut by a limit: the text is the beginning of an answer."""

    TOOL_CALLS = "tool_calls"
    """The model wants a tool called."""

    REFUSED = "refused"
    """The model declined; what it wrote is no answer."""

    BLOCKED = "blocked"
    """A filter of the vendor stopped the prompt or the answer."""

    BROKEN_OFF = "broken_off"
    """The vendor failed in mid-answer, and says so."""

    BAD_TOOL_CALL = "bad_tool_call"
    """The model's tool call could not be read by the vendor."""

    UNKNOWN = "unknown"
    """For a reason that is unknown here: nobody knows whether the text is whole."""


DECLINED: Final = frozenset({Finish.REFUSED, Finish.BLOCKED})


class Output(Protocol):
    """BeeAI's output of a call, whose import costs seconds."""

    context: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Outcome:
    """One call's outcome.

    Attributes:
        text: The answer, without thoughts.
        thoughts: What the model wrote for itself, where the vendor shows it.
        thoughts_untagged: Whether thoughts came as text without a tag before them. Then a stream of
            a model that wasn't known to do so shows them in `text`.
        tool_calls: In the order in which they came.
        finish: How it ended.
        category: The vendor's word for why it refused or blocked, or for an unknown end.
        usage: None where the vendor counts nothing.
        model: The model that answered, in the vendor's words.
        sent: What the request held that a model may refuse.
        left_out: What the caller asked for and this model refuses: left out, or said in another
            way.
        schema_left_out: Keywords of the caller's schemas that the vendor isn't sent, such as
            `schema.maximum`: its format has no word for them.
        attempts: Everyone who was asked, in order: the last one answered. Empty if that was the
            first.
    """

    text: str
    thoughts: str
    tool_calls: tuple[ToolCall, ...]
    finish: Finish
    category: str | None
    usage: Usage | None
    model: str
    sent: frozenset[Refusable] = frozenset()
    left_out: frozenset[Refusable] = frozenset()
    thoughts_untagged: bool = False
    attempts: tuple[Attempt, ...] = ()
    schema_left_out: frozenset[str] = frozenset()


def attach(output: Output, outcome: Outcome) -> None:
    """Put an outcome where it stays with BeeAI's output of the same call."""
    output.context[_PLACE] = outcome


def outcome_of(output: Output) -> Outcome:
    """Return what came back from the call that gave this output.

    Raises:
        KeyError: It isn't the output of a model that the pool built.
    """
    outcome: Outcome = output.context[_PLACE]
    return outcome


@dataclass(frozen=True, slots=True)
class Beginning:
    """What is known of a stream when its first piece is there.

    Attributes:
        model: The model that answers, in the vendor's words.
        left_out, schema_left_out: As in `Outcome`.
    """

    model: str
    left_out: frozenset[Refusable]
    schema_left_out: frozenset[str]


def begin(output: Output, beginning: Beginning) -> None:
    """Put a beginning where it stays with the first output of a stream."""
    output.context[_BEGINNING] = beginning


def beginning_of(output: Output) -> Beginning | None:
    """Return what is known at the beginning of a stream; None: this isn't its first output."""
    return output.context.get(_BEGINNING)


def is_known(output: Output) -> bool:
    """Whether an output has its outcome: a stream's last one alone has."""
    return _PLACE in output.context


class Reading:
    """Collects what an answer says, at once or event by event."""

    __slots__ = (
        "_calls",
        "_texts",
        "_thoughts",
        "category",
        "finish",
        "model",
        "thoughts_untagged",
        "usage",
    )

    def __init__(self) -> None:
        self.finish: Finish | None = None
        self.category: str | None = None
        self.usage: Usage | None = None
        self.model: str | None = None
        self.thoughts_untagged = False
        self._texts: list[str] = []
        self._thoughts: list[str] = []
        self._calls = ToolCallsRead()

    def ends(self, finish: Finish, category: object = None) -> None:
        """Note how the answer ends. A refusal stays one, whatever the vendor adds."""
        if self.finish not in DECLINED:
            self.finish, self.category = finish, None
        self.category = self.category or word(category)

    def counts(self, usage: Usage | None) -> None:
        """Note the tokens; vendors repeat them, and the last count holds."""
        self.usage = usage or self.usage

    def answers(self, model: object) -> None:
        """Note the name of the model that answers."""
        if self.model is None:
            self.model = word(model)

    def says(self, message: Any) -> None:  # noqa: ANN401 - one of litellm's messages or deltas
        """Collect text, thoughts and tool calls of a message or of a piece of one."""
        if message.content:
            self._texts.append(message.content)
        if thoughts := getattr(message, "reasoning_content", None):
            self._thoughts.append(thoughts)
        self._calls.read(getattr(message, "tool_calls", None))

    @property
    def text(self) -> str:
        """The answer's text so far."""
        return "".join(self._texts)

    def outcome(self, model: str) -> Outcome:
        """Return what was read.

        A vendor that names no reason ended in its usual way: the whole answer is here, or the
        stream's closing word was.

        Args:
            model: The model that was asked, for a vendor that doesn't say which answered.
        """
        finish = self.finish or Finish.STOP
        if finish is Finish.STOP and self._calls:
            finish = Finish.TOOL_CALLS
        return Outcome(
            self.text,
            "".join(self._thoughts),
            self._calls.made(),
            finish,
            self.category,
            self.usage,
            self.model or model,
            thoughts_untagged=self.thoughts_untagged,
        )


def word(value: object) -> str | None:
    """Return a vendor's word, if it is one: short, and without anything that could be markup."""
    return value if isinstance(value, str) and _WORD.fullmatch(value) else None


def repeatable(value: str | None, reference: ModelReference) -> str | None:
    """Return a vendor's word unless it repeats the key: it goes where keys may not."""
    return None if value is None or reference.holds_key(value) else value
