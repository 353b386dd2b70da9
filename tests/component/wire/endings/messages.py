"""How answers end at Anthropic.

Sources: platform.claude.com/docs, "Stop reasons and fallback", "Handle streaming refusals",
"Streaming messages", "Extended thinking" and "Errors".
"""

from collections.abc import Mapping
from typing import Any, Final

from aurorasoc.errors import (
    AnswerCut,
    BadResponse,
    Blocked,
    EmptyAnswer,
    ProviderOverloaded,
    ProviderUnreachable,
    Refused,
    ToolCallUnusable,
)
from aurorasoc.llm.wire.answers.outcome import Finish
from aurorasoc.llm.wire.answers.usage import Usage
from tests.component.wire.endings.kinds import (
    ARGUMENTS,
    HALF_ARGUMENTS,
    LIMIT,
    PARTIAL,
    TWO_CALLS_MADE,
    Answered,
    Ending,
    Failed,
    Form,
    Never,
    Rows,
    Write,
    as_served,
    both,
    cut_off,
    streamed_only,
    whole_only,
)
from tests.world.vendor import Fault
from tests.world.vendor_bodies import claude, then, unended, whole

_PONG: Final = {"type": "text", "text": "pong"}
_HALF: Final = {"type": "text", "text": PARTIAL}
_THOUGHT: Final = {"type": "thinking", "thinking": "hm", "signature": "c2ln"}
_HIDDEN: Final = {"type": "redacted_thinking", "data": "ZGF0YQ=="}
_CYBER: Final = {"type": "refusal", "category": "cyber", "explanation": "…"}
_CACHED: Final = {
    "input_tokens": 3,
    "cache_creation_input_tokens": 2,
    "cache_read_input_tokens": 4,
    "output_tokens": 5,
}


_COUNTED: Final = Usage(9, 5, 14, cached_tokens=4, cache_write_tokens=2)


def _says(*content: Mapping[str, Any], reason: str = "end_turn", **fields: Any) -> Write:
    return lambda stream: claude(content, reason, stream=stream, **fields)


def _call(arguments: object) -> dict[str, Any]:
    return {"type": "tool_use", "id": "toolu_1", "name": "lookup", "input": arguments}


def _error(kind: str, message: str) -> dict[str, Any]:
    return {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_1"}


def _begun() -> Fault:
    """Return a stream that has said something and goes on."""
    return unended(claude([_HALF], "end_turn", stream=True), 3)


_OVERLOADED: Final = _error("overloaded_error", "Overloaded")
_FILTERED: Final = _error("invalid_request_error", "Output blocked by content filtering policy")

ANTHROPIC: Final[Rows] = (
    as_served(Usage(7, 3, 10)),
    both(
        Ending.COUNTED,
        "cached tokens apart",
        Answered(usage=_COUNTED),
        _says(_PONG, usage=_CACHED),
    ),
    both(
        Ending.COUNTED,
        "behind a block that is new",
        Answered(usage=_COUNTED),
        _says({"type": "something_new", "data": 1}, _PONG, usage=_CACHED),
    ),
    streamed_only(
        Ending.BROKEN_OFF,
        "behind events that are new",
        Failed(ProviderUnreachable),
        then(_begun(), {"type": "ping"}, {"type": "something_new", "index": 0}),
    ),
    both(Ending.UNCOUNTED, "no usage", Answered(), _says(_PONG)),
    both(
        Ending.TOOL_CALL,
        "tool_use",
        Answered("", Finish.TOOL_CALLS, tool_calls=(("lookup", ARGUMENTS),)),
        _says(_call({"address": "192.0.2.1"}), reason="tool_use"),
    ),
    both(
        Ending.TOOL_CALL,
        "two, behind thoughts and words",
        Answered(
            "Let me see.",
            Finish.TOOL_CALLS,
            "hm",
            tool_calls=TWO_CALLS_MADE,
        ),
        _says(
            _THOUGHT,
            {"type": "text", "text": "Let me see."},
            _call({"address": "192.0.2.1"}),
            _call({"address": "192.0.2.2"}) | {"id": "toolu_2"},
            reason="tool_use",
        ),
    ),
    both(Ending.THOUGHTS_APART, "thinking", Answered(thoughts="hm"), _says(_THOUGHT, _PONG)),
    both(Ending.THOUGHTS_APART, "redacted_thinking", Answered(), _says(_HIDDEN, _PONG)),
    both(
        Ending.THOUGHTS_ONLY,
        "max_tokens",
        Answered.as_usual(Usage(16, LIMIT + 3, LIMIT + 19)),
        _says(_THOUGHT, reason="max_tokens", usage={"input_tokens": 9, "output_tokens": LIMIT}),
    ),
    both(Ending.EMPTY, "end_turn", Failed(EmptyAnswer), _says()),
    *(
        both(Ending.CUT, reason, Answered(PARTIAL, Finish.LENGTH), _says(_HALF, reason=reason))
        for reason in ("max_tokens", "model_context_window_exceeded", "pause_turn", "compaction")
    ),
    whole_only(
        Ending.CUT_TOOL_CALL,
        "max_tokens",
        Failed(AnswerCut),
        claude([_call({})], "max_tokens", stream=False),
    ),
    streamed_only(
        Ending.CUT_TOOL_CALL,
        "max_tokens",
        Failed(AnswerCut),
        claude([_call(HALF_ARGUMENTS)], "max_tokens", stream=True),
    ),
    Never(
        Ending.UNREADABLE_TOOL_CALL,
        "A whole answer holds the arguments as an object.",
        (Form.WHOLE,),
    ),
    streamed_only(
        Ending.UNREADABLE_TOOL_CALL,
        "arguments that are no JSON",
        Failed(ToolCallUnusable),
        claude([_call("address=192.0.2.1")], "tool_use", stream=True),
    ),
    both(
        Ending.REFUSED,
        "refusal, nothing said",
        Failed(Refused, "cyber"),
        _says(reason="refusal", stop_details=_CYBER),
    ),
    both(
        Ending.REFUSED,
        "refusal, half said",
        Failed(Refused, "cyber"),
        _says(_HALF, reason="refusal", stop_details=_CYBER),
    ),
    both(Ending.REFUSED, "refusal without a category", Failed(Refused), _says(reason="refusal")),
    whole_only(Ending.BLOCKED, "content filtering policy", Failed(Blocked), whole(_FILTERED, 400)),
    streamed_only(
        Ending.BLOCKED, "content filtering policy", Failed(Blocked), then(_begun(), _FILTERED)
    ),
    Never(
        Ending.BLOCKED_PROMPT,
        "Its classifiers stop a prompt as they stop an answer: `refusal`, with nothing said.",
    ),
    cut_off(Failed(ProviderUnreachable), _says(_HALF)),
    streamed_only(
        Ending.BROKEN_OFF,
        "no message_stop",
        Failed(ProviderUnreachable),
        unended(claude([_HALF], "end_turn", stream=True), 1),
    ),
    streamed_only(
        Ending.BROKEN_OFF, "no message_delta, either", Failed(ProviderUnreachable), _begun()
    ),
    whole_only(
        Ending.FAILED, "overloaded_error", Failed(ProviderOverloaded), whole(_OVERLOADED, 529)
    ),
    streamed_only(
        Ending.FAILED, "overloaded_error", Failed(ProviderOverloaded), then(_begun(), _OVERLOADED)
    ),
    both(Ending.UNKNOWN, "tired", Failed(BadResponse, "tired"), _says(_HALF, reason="tired")),
)
