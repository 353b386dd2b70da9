"""How answers end at Gemini.

Sources: ai.google.dev/api/generate-content, "FinishReason", "BlockReason" and "UsageMetadata";
ai.google.dev/gemini-api/docs/thinking; google.rpc's error model, which a stream repeats as an
event.
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
    ToolCallUnusable,
)
from aurorasoc.llm.wire.answers.outcome import Finish
from aurorasoc.llm.wire.answers.usage import Usage
from tests.component.wire.endings.kinds import (
    ARGUMENTS,
    LIMIT,
    PARTIAL,
    TWO_CALLS_MADE,
    Answered,
    Ending,
    Failed,
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
from tests.world.vendor_bodies import gemini, then, unended, whole

_HALVES: Final = ({"text": PARTIAL[:11]}, {"text": PARTIAL[11:]})
_THOUGHT: Final = {"text": "hm", "thought": True}
_CALL: Final = {"functionCall": {"name": "lookup", "args": {"address": "192.0.2.1"}}}
_OTHER_CALL: Final = {"functionCall": {"name": "lookup", "args": {"address": "192.0.2.2"}}}
_COUNT: Final = {
    "promptTokenCount": 9,
    "candidatesTokenCount": 1,
    "thoughtsTokenCount": 4,
    "totalTokenCount": 14,
}
_SPENT: Final = {
    "promptTokenCount": 9,
    "thoughtsTokenCount": LIMIT,
    "totalTokenCount": 9 + LIMIT,
}
_OVERLOADED: Final = {
    "error": {"code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE"}
}


def _says(*parts: Mapping[str, Any], reason: str | None = "STOP", **fields: Any) -> Write:
    return lambda stream: gemini(parts, reason, stream=stream, **fields)


def _without_content(reason: str) -> Write:
    return lambda stream: gemini(None, reason, stream=stream)


def _begun() -> Fault:
    """Return a stream that has said something and goes on."""
    return unended(gemini(_HALVES, "STOP", stream=True), 1)


GEMINI: Final[Rows] = (
    as_served(Usage(7, 3, 10)),
    both(
        Ending.COUNTED,
        "thoughts apart",
        Answered(usage=Usage(9, 5, 14, 4)),
        _says({"text": "pong"}, usage=_COUNT),
    ),
    both(
        Ending.UNCOUNTED,
        "among parts that are new",
        Answered(),
        _says({"somethingNew": {}}, {"text": "pong"}),
    ),
    both(Ending.UNCOUNTED, "no usageMetadata", Answered(), _says({"text": "pong"})),
    both(
        Ending.TOOL_CALL,
        "functionCall",
        Answered("", Finish.TOOL_CALLS, tool_calls=(("lookup", ARGUMENTS),)),
        _says(_CALL),
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
        _says(_THOUGHT, {"text": "Let me see."}, _CALL, _OTHER_CALL),
    ),
    both(
        Ending.THOUGHTS_APART,
        "thought",
        Answered(thoughts="hm"),
        _says(_THOUGHT, {"text": "pong", "thoughtSignature": "c2ln"}),
    ),
    both(
        Ending.THOUGHTS_ONLY,
        "MAX_TOKENS, nothing shown",
        Answered.as_usual(Usage(16, LIMIT + 3, LIMIT + 19)),
        _says(reason="MAX_TOKENS", usage=_SPENT),
    ),
    both(
        Ending.THOUGHTS_ONLY,
        "MAX_TOKENS, thoughts shown",
        Answered.as_usual(Usage(16, LIMIT + 3, LIMIT + 19)),
        _says(_THOUGHT, reason="MAX_TOKENS", usage=_SPENT),
    ),
    both(Ending.EMPTY, "STOP, without parts", Failed(EmptyAnswer), _says()),
    both(
        Ending.EMPTY,
        "STOP, without content",
        Failed(EmptyAnswer),
        _without_content("STOP"),
    ),
    both(
        Ending.CUT,
        "MAX_TOKENS",
        Answered(PARTIAL, Finish.LENGTH),
        _says(*_HALVES, reason="MAX_TOKENS"),
    ),
    both(Ending.CUT_TOOL_CALL, "MAX_TOKENS", Failed(AnswerCut), _says(_CALL, reason="MAX_TOKENS")),
    *(
        both(
            Ending.UNREADABLE_TOOL_CALL,
            reason,
            Failed(ToolCallUnusable, reason),
            _says(reason=reason),
        )
        for reason in ("MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "TOO_MANY_TOOL_CALLS")
    ),
    Never(
        Ending.REFUSED,
        "It documents no refusal: a model that declines says so in its text, and what is stopped "
        "is blocked, with a reason.",
    ),
    *(
        both(
            Ending.BLOCKED,
            f"{reason}, without content",
            Failed(Blocked, reason),
            _without_content(reason),
        )
        for reason in ("SAFETY", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "LANGUAGE")
    ),
    both(
        Ending.BLOCKED,
        "RECITATION, half said",
        Failed(Blocked, "RECITATION"),
        _says(*_HALVES, reason="RECITATION"),
    ),
    *(
        both(
            Ending.BLOCKED_PROMPT,
            reason,
            Failed(Blocked, reason),
            _says(reason=None, promptFeedback={"blockReason": reason}),
        )
        for reason in ("SAFETY", "BLOCKLIST", "PROHIBITED_CONTENT", "OTHER")
    ),
    cut_off(Failed(ProviderUnreachable), _says(*_HALVES)),
    streamed_only(Ending.BROKEN_OFF, "no finishReason", Failed(ProviderUnreachable), _begun()),
    whole_only(Ending.FAILED, "UNAVAILABLE", Failed(ProviderOverloaded), whole(_OVERLOADED, 503)),
    streamed_only(
        Ending.FAILED, "UNAVAILABLE", Failed(ProviderOverloaded), then(_begun(), _OVERLOADED)
    ),
    *(
        both(Ending.UNKNOWN, reason, Failed(BadResponse, reason), _says(*_HALVES, reason=reason))
        for reason in ("OTHER", "MALFORMED_RESPONSE", "TIRED")
    ),
)
