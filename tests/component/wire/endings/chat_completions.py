"""What answers of Chat Completions have in common, at whatever server they end."""

from typing import Any, Final

from aurorasoc.errors import (
    AnswerCut,
    BadResponse,
    EmptyAnswer,
    ProviderOverloaded,
    ProviderUnreachable,
    ToolCallUnusable,
)
from aurorasoc.llm.wire.answers.outcome import Finish
from aurorasoc.llm.wire.answers.usage import Usage
from tests.component.wire.endings.kinds import (
    ARGUMENTS,
    HALF_ARGUMENTS,
    LIMIT,
    OTHER_ARGUMENTS,
    PARTIAL,
    TWO_CALLS_MADE,
    Answered,
    Case,
    Ending,
    Failed,
    Rows,
    Write,
    as_served,
    both,
    cut_off,
    function,
    streamed_only,
    whole_only,
)
from tests.world.vendor import Fault
from tests.world.vendor_bodies import chat, then, unended, whole

COUNT: Final = {"prompt_tokens": 9, "completion_tokens": 5, "total_tokens": 14}
APART: Final = {"completion_tokens_details": {"reasoning_tokens": 4}}
COUNTED_APART: Final = Answered(usage=Usage(9, 5, 14, 4))
NO_FILTER: Final = "It has no content filter: one belongs to a gateway before it."
NO_REFUSAL: Final = "It documents no refusal: a model that declines says so in its text."
SERVER_ERROR: Final = {
    "message": "The server had an error while processing your request.",
    "type": "server_error",
    "param": None,
    "code": None,
}
_SPENT: Final = {"prompt_tokens": 9, "completion_tokens": LIMIT, "total_tokens": 9 + LIMIT}
TWO_CALLS: Final = [function(ARGUMENTS), function(OTHER_ARGUMENTS) | {"id": "call_2"}]
_CALL: Final = {"content": None, "tool_calls": [function(ARGUMENTS)]}
_UNEXPLAINED: Final[dict[str, dict[str, Any]]] = {
    "text": {"content": PARTIAL},
    "a tool call": _CALL,
}


def says(message: dict[str, Any], reason: str | None = "stop", **more: Any) -> Write:
    """Write an answer of this message, which ends for this reason."""
    return lambda stream: chat(message, reason, stream=stream, **more)


def begun() -> Fault:
    """Return a stream that has said something and goes on."""
    return unended(chat({"content": PARTIAL}, "stop", stream=True), 2)


def thoughts(name: str, message: dict[str, Any]) -> Case:
    """Return the case of an answer whose message holds thoughts, too."""
    return both(Ending.THOUGHTS_APART, name, Answered(thoughts="hm"), says(message))


def thoughts_only(field: str) -> Rows:
    """Return the cases of thoughts that use up the limit.

    The tokens of both calls are summed; one that wasn't counted leaves no sum.
    """
    message = {field: "hm, hm", "content": ""}
    summed = Answered.as_usual(Usage(16, LIMIT + 3, LIMIT + 19))
    uncounted = Answered.as_usual(None)
    return (
        both(Ending.THOUGHTS_ONLY, field, summed, says(message, "length", usage=_SPENT)),
        both(Ending.THOUGHTS_ONLY, f"{field}, uncounted", uncounted, says(message, "length")),
        both(Ending.EMPTY, f"{field}, and no more", Failed(EmptyAnswer), says(message)),
    )


SHARED: Final[Rows] = (
    as_served(Usage(7, 3, 10, 0)),
    both(Ending.UNCOUNTED, "no usage", Answered(), says({"content": "pong"})),
    both(
        Ending.UNCOUNTED,
        "zeros",
        Answered(),
        says({"content": "pong"}, usage=dict.fromkeys(COUNT, 0)),
    ),
    both(
        Ending.TOOL_CALL,
        "tool_calls",
        Answered("", Finish.TOOL_CALLS, tool_calls=(("lookup", ARGUMENTS),)),
        says(_CALL, "tool_calls"),
    ),
    both(
        Ending.TOOL_CALL,
        "two, behind words",
        Answered(
            "Let me see.",
            Finish.TOOL_CALLS,
            tool_calls=TWO_CALLS_MADE,
        ),
        says({"content": "Let me see.", "tool_calls": TWO_CALLS}, "tool_calls"),
    ),
    both(Ending.EMPTY, "stop", Failed(EmptyAnswer), says({"content": ""})),
    both(
        Ending.CUT,
        "length",
        Answered(PARTIAL, Finish.LENGTH),
        says({"content": PARTIAL}, "length"),
    ),
    cut_off(Failed(ProviderUnreachable), says({"content": PARTIAL})),
    streamed_only(
        Ending.BROKEN_OFF, "neither reason nor [DONE]", Failed(ProviderUnreachable), begun()
    ),
    *(
        streamed_only(
            Ending.BROKEN_OFF,
            f"{what}, [DONE], and no reason",
            Failed(BadResponse),
            chat(message, None, stream=True),
        )
        for what, message in _UNEXPLAINED.items()
    ),
    both(
        Ending.UNKNOWN, "tired", Failed(BadResponse, "tired"), says({"content": PARTIAL}, "tired")
    ),
)
BROKEN_CALLS: Final[Rows] = (
    both(
        Ending.CUT_TOOL_CALL,
        "length",
        Failed(AnswerCut),
        says({"tool_calls": [function(HALF_ARGUMENTS)]}, "length"),
    ),
    both(
        Ending.UNREADABLE_TOOL_CALL,
        "arguments that are no JSON",
        Failed(ToolCallUnusable),
        says({"tool_calls": [function("address=192.0.2.1")]}, "tool_calls"),
    ),
)


def failing(name: str, error: dict[str, Any], status: int) -> Rows:
    """Return the cases of an error as an answer, and in the middle of a stream."""
    expected = Failed(ProviderOverloaded)
    return (
        whole_only(Ending.FAILED, name, expected, whole({"error": error}, status)),
        streamed_only(Ending.FAILED, name, expected, then(begun(), {"error": error}, done=True)),
    )
