"""What was asked and what is answered, in terms that all vendors share."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from tests.world.vendor.faults import Refusal
from tests.world.vendor.schema import instance

_PROMPT_TOKENS: Final = 7


class RefusedError(Exception):
    """A request that the vendor would refuse, with its reason in the vendor's words."""

    def __init__(self, refusal: Refusal, message: str = "") -> None:
        """Refuse for `refusal`; an empty `message` leaves the vendor's usual sentence."""
        super().__init__(message)
        self.refusal = refusal
        self.message = message


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool that the caller offered: its name and the JSON Schema of its arguments."""

    name: str
    schema: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Question:
    """One request for a completion. `called` names the tools called earlier in the talk.

    `responses`: it came to OpenAI's `/responses`, and is answered in that format.
    """

    vendor: str
    model: str
    prompt: str
    stream: bool = False
    usage_wanted: bool = True
    tools: Sequence[Tool] = ()
    forced_tool: str | None = None
    tool_required: bool = False
    called: Sequence[str] = ()
    schema: Mapping[str, Any] | None = None
    responses: bool = False


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens counted by words, so that equal answers cost the same everywhere."""

    prompt: int = _PROMPT_TOKENS
    completion: int = 0

    @property
    def total(self) -> int:
        """Prompt and completion together."""
        return self.prompt + self.completion


@dataclass(frozen=True, slots=True)
class Turn:
    """The answer: a text or one tool call; `thought` marks an answer that is all thinking."""

    text: str = ""
    tool: str | None = None
    arguments: Mapping[str, Any] = field(default_factory=dict)
    thought: bool = False
    usage: Usage = field(default_factory=Usage)

    @property
    def pieces(self) -> list[str]:
        """The text in the pieces it is streamed in: word by word."""
        words = self.text.split(" ")
        return [word if i == 0 else f" {word}" for i, word in enumerate(words)]


Wording = Callable[[Question], str]


def says_pong(question: Question) -> str:
    """Name the model that answers, so that a test sees who did."""
    return f"{question.model} says: pong"


def answer(question: Question, wording: Wording) -> Turn:
    """Decide the answer: an instance of the schema, a tool call, or the wording.

    Where a schema is wanted, wording that is a JSON object is said as it stands. A tool is called
    once in a conversation, in the order offered, so that an agent's loop of calls always ends.
    """
    words = wording(question)
    if question.schema is not None:
        said = words.startswith("{")
        text = words if said else json.dumps(instance(question.schema, words))
        return Turn(text=text, usage=_usage(text))
    tool = _chosen(question)
    if tool is not None:
        arguments = instance({"type": "object", **tool.schema}, words)
        return Turn(tool=tool.name, arguments=arguments, usage=_usage(json.dumps(arguments)))
    return Turn(text=words, usage=_usage(words))


def thinking_only() -> Turn:
    """Return what a thinking model says when its tokens are spent before the first visible one."""
    return Turn(thought=True, usage=Usage(completion=1))


def _chosen(question: Question) -> Tool | None:
    offered = [t for t in question.tools if question.forced_tool in (None, t.name)]
    fresh = [tool for tool in offered if tool.name not in question.called]
    if fresh:
        return fresh[0]
    forced = question.tool_required or question.forced_tool is not None
    return offered[-1] if offered and forced else None


def _usage(text: str) -> Usage:
    return Usage(completion=len(text.split()))
