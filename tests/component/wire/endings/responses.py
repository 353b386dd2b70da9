"""How answers end at OpenAI for the models that it answers in its Responses format only.

Source: platform.openai.com/docs/api-reference/responses and responses-streaming.
"""

from collections.abc import Mapping
from typing import Any, Final

from aurorasoc.errors import (
    AnswerCut,
    BadResponse,
    Blocked,
    EmptyAnswer,
    ProviderOverloaded,
    ProviderRateLimited,
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
    OTHER_ARGUMENTS,
    PARTIAL,
    TWO_CALLS_MADE,
    Answered,
    Ending,
    Failed,
    Rows,
    Write,
    as_served,
    both,
    cut_off,
    streamed_only,
    whole_only,
)
from tests.world.vendor import Fault
from tests.world.vendor_bodies import before, responses, said, then, unended, whole

_THOUGHT: Final = {
    "type": "reasoning",
    "id": "rs_1",
    "summary": [{"type": "summary_text", "text": "hm"}],
}
_CUT: Final = {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}
_FILTERED: Final = {"status": "incomplete", "incomplete_details": {"reason": "content_filter"}}


def _count(output: int, thoughts: int) -> dict[str, Any]:
    return {
        "input_tokens": 9,
        "output_tokens": output,
        "output_tokens_details": {"reasoning_tokens": thoughts},
        "total_tokens": 9 + output,
    }


def _call(arguments: str) -> dict[str, Any]:
    call = {"id": "fc_1", "call_id": "call_1", "name": "lookup", "arguments": arguments}
    return {"type": "function_call", "status": "completed", **call}


def _says(*output: Mapping[str, Any], **fields: Any) -> Write:
    return lambda stream: responses(output, stream=stream, **fields)


def _error(code: str, message: str) -> dict[str, Any]:
    return {"code": code, "message": message}


def _begun() -> Fault:
    """Return a stream that has said something and goes on."""
    return unended(responses([said(PARTIAL)], stream=True), 1)


def _failed(code: str, message: str) -> Write:
    """Return an answer that failed, which is a success to HTTP."""
    shared = {"id": "resp_1", "object": "response", "status": "failed", "output": []}
    response = {**shared, "error": _error(code, message)}
    event = {"type": "response.failed", "response": response}
    return lambda stream: then(_begun(), event) if stream else whole(response)


_NEW: Final = (
    {"type": "response.queued", "response": {"id": "resp_1", "status": "queued"}},
    {"type": "response.in_progress", "response": {"id": "resp_1", "status": "in_progress"}},
    {"type": "response.something_new", "output_index": 0},
    {"type": "response.output_item.added", "output_index": 9, "item": {"type": "something_new"}},
    {"type": "keepalive", "sequence_number": 3},
)

RESPONSES: Final[Rows] = (
    as_served(Usage(7, 3, 10, 0, 0)),
    both(
        Ending.COUNTED,
        "thoughts apart",
        Answered(usage=Usage(9, 5, 14, 4)),
        _says(said("pong"), usage=_count(5, 4)),
    ),
    streamed_only(
        Ending.COUNTED,
        "among events that are new",
        Answered(usage=Usage(9, 5, 14, 4)),
        before(responses([said("pong")], stream=True, usage=_count(5, 4)), *_NEW),
    ),
    both(
        Ending.COUNTED,
        "behind an item that is new",
        Answered(usage=Usage(9, 5, 14, 4)),
        _says({"type": "something_new", "id": "x_1"}, said("pong"), usage=_count(5, 4)),
    ),
    both(Ending.UNCOUNTED, "no usage", Answered(), _says(said("pong"))),
    both(
        Ending.TOOL_CALL,
        "function_call",
        Answered("", Finish.TOOL_CALLS, tool_calls=(("lookup", ARGUMENTS),)),
        _says(_call(ARGUMENTS)),
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
            said("Let me see."),
            _call(ARGUMENTS),
            _call(OTHER_ARGUMENTS) | {"id": "fc_2", "call_id": "call_2"},
        ),
    ),
    both(
        Ending.THOUGHTS_APART,
        "reasoning, with its summary",
        Answered(thoughts="hm"),
        _says(_THOUGHT, said("pong")),
    ),
    both(
        Ending.THOUGHTS_ONLY,
        "max_output_tokens",
        Answered.as_usual(Usage(16, LIMIT + 3, LIMIT + 19, LIMIT)),
        _says(_THOUGHT, usage=_count(LIMIT, LIMIT), **_CUT),
    ),
    both(Ending.EMPTY, "completed", Failed(EmptyAnswer), _says(said(""))),
    both(
        Ending.CUT,
        "max_output_tokens",
        Answered(PARTIAL, Finish.LENGTH),
        _says(said(PARTIAL), **_CUT),
    ),
    both(
        Ending.CUT_TOOL_CALL,
        "max_output_tokens",
        Failed(AnswerCut),
        _says(_call(HALF_ARGUMENTS), **_CUT),
    ),
    both(
        Ending.UNREADABLE_TOOL_CALL,
        "arguments that are no JSON",
        Failed(ToolCallUnusable),
        _says(_call("address=192.0.2.1")),
    ),
    both(Ending.REFUSED, "refusal, nothing else", Failed(Refused), _says(said("No.", "refusal"))),
    both(
        Ending.REFUSED,
        "refusal, half said",
        Failed(Refused),
        _says(said(PARTIAL), said("I can't help with that.", "refusal")),
    ),
    both(
        Ending.BLOCKED,
        "content_filter",
        Failed(Blocked, "content_filter"),
        _says(said(PARTIAL), **_FILTERED),
    ),
    both(
        Ending.BLOCKED_PROMPT,
        "invalid_prompt",
        Failed(Blocked),
        _failed(
            "invalid_prompt",
            "Invalid prompt: your prompt was flagged as potentially violating our usage policy.",
        ),
    ),
    both(
        Ending.BLOCKED_PROMPT,
        "bio_policy",
        Failed(Blocked, "bio_policy"),
        _failed("bio_policy", "…"),
    ),
    cut_off(Failed(ProviderUnreachable), _says(said(PARTIAL))),
    streamed_only(
        Ending.BROKEN_OFF, "no response.completed", Failed(ProviderUnreachable), _begun()
    ),
    both(
        Ending.FAILED,
        "response.failed",
        Failed(ProviderOverloaded),
        _failed("server_error", "The model failed to generate a response."),
    ),
    both(
        Ending.FAILED,
        "rate_limit_exceeded",
        Failed(ProviderRateLimited),
        _failed("rate_limit_exceeded", "slow down"),
    ),
    streamed_only(
        Ending.FAILED,
        "error",
        Failed(ProviderOverloaded),
        then(_begun(), {"type": "error", "param": None, **_error("server_error", "…")}),
    ),
    whole_only(
        Ending.FAILED,
        "cancelled",
        Failed(ProviderOverloaded),
        responses([said(PARTIAL)], stream=False, status="cancelled"),
    ),
    both(
        Ending.UNKNOWN,
        "tired",
        Failed(BadResponse, "tired"),
        _says(said(PARTIAL), status="incomplete", incomplete_details={"reason": "tired"}),
    ),
)
