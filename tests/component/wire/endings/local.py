"""How answers end at vLLM and Ollama.

Sources: docs.vllm.ai, "OpenAI-Compatible Server" and "Reasoning Outputs", and its
`serving_chat.py`; docs.ollama.com, "Errors" and "OpenAI compatibility", and its
`middleware/openai.go`, which writes answers of `/v1/chat/completions`.
"""

from typing import Final

from aurorasoc.errors import ProviderOverloaded, ProviderUnreachable
from aurorasoc.llm.wire.answers.outcome import Finish
from tests.component.wire.endings.chat_completions import (
    BROKEN_CALLS,
    NO_FILTER,
    NO_REFUSAL,
    SERVER_ERROR,
    SHARED,
    TWO_CALLS,
    begun,
    failing,
    says,
    thoughts,
    thoughts_only,
)
from tests.component.wire.endings.kinds import (
    ARGUMENTS,
    HALF_ARGUMENTS,
    PARTIAL,
    TWO_CALLS_MADE,
    Answered,
    Ending,
    Failed,
    Never,
    Rows,
    both,
    streamed_only,
    whole_only,
)
from tests.world.vendor_bodies import ANSWERING_MODEL, chat, chat_pieces, streamed, then, whole

_INTERNAL: Final = {
    "message": "EngineCore encountered an issue.",
    "type": "InternalServerError",
    "param": None,
    "code": 500,
}

_LAST_WORDS: Final = {"index": 0, "delta": {"content": PARTIAL}, "finish_reason": "length"}

_RENAMED: Final = [
    {"tool_calls": [{"index": 0, "id": f"chatcmpl-tool-{count}", "function": piece}]}
    for count, piece in enumerate(
        ({"name": "lookup"}, {"arguments": HALF_ARGUMENTS}, {"arguments": '.0.2.1"}'})
    )
]

VLLM: Final[Rows] = (
    *SHARED,
    *BROKEN_CALLS,
    streamed_only(
        Ending.TOOL_CALL,
        "with another id in each piece",
        Answered("", Finish.TOOL_CALLS, tool_calls=(("lookup", ARGUMENTS),)),
        chat_pieces(*_RENAMED, reason="tool_calls"),
    ),
    thoughts("reasoning_content", {"reasoning_content": "hm", "content": "pong"}),
    thoughts("reasoning", {"reasoning": "hm", "content": "pong"}),
    thoughts("tags, without a parser", {"content": "<think>hm</think>\n\npong"}),
    streamed_only(
        Ending.THOUGHTS_APART,
        "tags in pieces",
        Answered(thoughts="hm"),
        chat_pieces({"content": "<th"}, {"content": "ink>hm</thi"}, {"content": "nk>\n\npong"}),
    ),
    *thoughts_only("reasoning_content"),
    both(
        Ending.CUT,
        "repetition",
        Answered(PARTIAL, Finish.LENGTH),
        says({"content": PARTIAL}, "repetition"),
    ),
    streamed_only(
        Ending.CUT,
        "length beside the last words",
        Answered(PARTIAL, Finish.LENGTH),
        streamed({"choices": [_LAST_WORDS], "model": ANSWERING_MODEL}, done=True),
    ),
    Never(Ending.REFUSED, "Its `refusal` is always null: a model that declines says so in text."),
    Never(Ending.BLOCKED, NO_FILTER),
    Never(Ending.BLOCKED_PROMPT, NO_FILTER),
    *failing(
        "InternalServerError",
        _INTERNAL,
        500,
    ),
    streamed_only(
        Ending.FAILED,
        "an older one's error",
        Failed(ProviderOverloaded),
        then(begun(), {"object": "error", **_INTERNAL}, done=True),
    ),
    *(
        both(Ending.FAILED, reason, Failed(ProviderOverloaded), says({"content": PARTIAL}, reason))
        for reason in ("abort", "error")
    ),
    whole_only(  # the last row: from then on this model is known for it
        Ending.THOUGHTS_APART,
        "the ending tag alone",
        Answered(thoughts="hm\n"),
        chat({"content": "hm\n</think>\n\npong"}, "stop", stream=False),
    ),
)

_NOTHING: Final = {"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}

OLLAMA: Final[Rows] = (
    *SHARED,
    thoughts("reasoning", {"reasoning": "hm", "content": "pong"}),
    thoughts("tags of a template that it doesn't know", {"content": "<think>hm</think>pong"}),
    *thoughts_only("reasoning"),
    streamed_only(
        Ending.TOOL_CALL,
        "two, both numbered 0",
        Answered("", Finish.TOOL_CALLS, tool_calls=TWO_CALLS_MADE),
        chat_pieces(
            *({"tool_calls": [{"index": 0, **call}]} for call in TWO_CALLS), reason="tool_calls"
        ),
    ),
    Never(Ending.CUT_TOOL_CALL, "It hands out a call once it has parsed it, and not before."),
    Never(Ending.UNREADABLE_TOOL_CALL, "It parses arguments, and writes them as JSON of its own."),
    Never(Ending.REFUSED, NO_REFUSAL),
    Never(Ending.BLOCKED, NO_FILTER),
    Never(Ending.BLOCKED_PROMPT, NO_FILTER),
    whole_only(
        Ending.FAILED,
        "api_error",
        Failed(ProviderOverloaded),
        whole({"error": {**SERVER_ERROR, "type": "api_error"}}, 500),
    ),
    streamed_only(
        Ending.FAILED,
        "its error, which its middleware turns into an empty piece",
        Failed(ProviderUnreachable),
        then(begun(), {"id": "c1", "model": "", "choices": [_NOTHING]}),
    ),
)
