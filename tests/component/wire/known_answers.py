"""How the services of `known_addresses` answer: fields that each documents or is seen to send.

Every answer says "pong", and its thoughts, where it has some, "hm".
"""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from tests.world.known_vendor import Said, events

SHARED: Final = {"id": "chatcmpl-1", "created": 1_760_000_000, "model": "answering-model"}
COUNTED: Final = {"prompt_tokens": 9, "completion_tokens": 5, "total_tokens": 14}
SAFE: Final = {"hate": {"filtered": False, "severity": "safe"}}
OPENROUTER_ALIVE: Final = ": OPENROUTER PROCESSING\n\n"


class Answers(NamedTuple):
    """One service's answers.

    Attributes:
        whole: A whole answer.
        streamed: The same in pieces.
        models: Its list of models; None: it has none.
        listed: The names in that list.
        thoughts: What the answer holds beside its text.
    """

    whole: Said
    streamed: Said
    models: Any
    listed: tuple[str, ...]
    thoughts: str = ""


def whole(message: Mapping[str, Any], reason: str = "stop", **more: Any) -> Said:
    """Answer with one choice; `choice` adds to that, anything else to the document."""
    added = more.pop("choice", {})
    message = {"role": "assistant", **message}
    choice = {"index": 0, "message": message, "finish_reason": reason, **added}
    document = {**SHARED, "object": "chat.completion", "choices": [choice], "usage": COUNTED}
    return Said({**document, **more})


def piece(delta: Mapping[str, Any], reason: str | None = None, **more: Any) -> dict[str, Any]:
    """Return one event of a stream."""
    added = more.pop("choice", {})
    choice = {"index": 0, "delta": delta, "finish_reason": reason, **added}
    return {**SHARED, "object": "chat.completion.chunk", "choices": [choice], **more}


def counting(**more: Any) -> dict[str, Any]:
    """Return OpenAI's last event, which counts and has no choice."""
    return {**SHARED, "object": "chat.completion.chunk", "choices": [], "usage": COUNTED, **more}


def named(*rows: Mapping[str, Any]) -> dict[str, Any]:
    """List models as OpenAI does."""
    return {"object": "list", "data": [{"object": "model", **row} for row in rows]}


_FILTERED_PIECE: Final = {
    "id": "",
    "created": 0,
    "model": "",
    "object": "",
    "choices": [{"index": 0, "finish_reason": None, "content_filter_results": SAFE}],
}
_PROMPT_FILTERED: Final = [{"prompt_index": 0, "content_filter_results": SAFE}]
_AZURE: Final = Answers(
    whole(
        {"content": "pong", "refusal": None, "annotations": []},
        prompt_filter_results=_PROMPT_FILTERED,
        choice={"content_filter_results": SAFE, "logprobs": None},
    ),
    events(
        {**_FILTERED_PIECE, "choices": [], "prompt_filter_results": _PROMPT_FILTERED},
        piece({"role": "assistant", "content": "", "refusal": None}),
        piece({"content": "pong"}),
        _FILTERED_PIECE,
        piece({}, "stop"),
        _FILTERED_PIECE,
        counting(),
    ),
    named({"id": "gpt-4o-2024-11-20", "status": "succeeded", "capabilities": {"inference": True}}),
    ("gpt-4o-2024-11-20",),
)
_BEDROCK: Final = Answers(
    whole({"content": "<reasoning>hm</reasoning>pong"}, service_tier="default"),
    events(
        piece({"role": "assistant", "content": ""}),
        piece({"content": "<reasoning>h</reasoning>"}),
        piece({"content": "<reasoning>m</reasoning>"}),
        piece({"content": "pong"}),
        piece({}, "stop"),
        counting(),
    ),
    None,
    (),
    "hm",
)
_PARTS: Final = [
    {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}], "closed": True},
    {"type": "text", "text": "pong"},
]
_MISTRAL: Final = Answers(
    whole({"content": _PARTS, "tool_calls": None, "prefix": False}),
    events(
        piece({"role": "assistant", "content": ""}),
        piece({"content": _PARTS[:1]}),
        piece({"content": "pong"}),
        piece({"content": ""}, "stop", usage=COUNTED),
    ),
    named({"id": "mistral-large-latest", "max_context_length": 131_072, "aliases": ["x"]}),
    ("mistral-large-latest",),
    "hm",
)
_GROQ: Final = Answers(
    whole(
        {"content": "pong", "reasoning": "hm"},
        usage={"queue_time": 0.03, "prompt_time": 0.001, **COUNTED, "total_time": 0.4},
        usage_breakdown=None,
        x_groq={"id": "req_1"},
    ),
    events(
        piece({"role": "assistant", "content": ""}, x_groq={"id": "req_1"}),
        piece({"reasoning": "hm", "channel": "analysis"}),
        piece({"content": "pong"}),
        piece({}, "stop", x_groq={"id": "req_1", "usage": {"queue_time": 0.03, **COUNTED}}),
    ),
    named({"id": "openai/gpt-oss-120b", "active": True, "context_window": 131_072}),
    ("openai/gpt-oss-120b",),
    "hm",
)
_DETAILS: Final = [{"type": "reasoning.text", "text": "hm", "format": "unknown", "index": 0}]
_OPENROUTER: Final = Answers(
    whole(
        {"content": "pong", "refusal": None, "reasoning": "hm", "reasoning_details": _DETAILS},
        provider="Groq",
        choice={"native_finish_reason": "stop", "logprobs": None},
    ),
    events(
        OPENROUTER_ALIVE,
        piece({"role": "assistant", "content": "", "reasoning": "hm"}, provider="Groq"),
        OPENROUTER_ALIVE,
        piece({"role": "assistant", "content": "pong"}, provider="Groq"),
        piece({"content": ""}, "stop", choice={"native_finish_reason": "completed"}),
        counting(provider="Groq"),
    ),
    {"data": [{"id": "openai/gpt-oss-120b", "name": "OpenAI: gpt-oss", "context_length": 131_072}]},
    ("openai/gpt-oss-120b",),
    "hm",
)
_TOGETHER_CHOICE: Final = {"text": "", "logprobs": None, "seed": None}
_TOGETHER: Final = Answers(
    whole({"content": "pong", "tool_calls": []}, "eos", prompt=[], choice={"seed": 17}),
    events(
        piece({"role": "assistant", "content": "po", "token_id": 1}, choice=_TOGETHER_CHOICE),
        piece({"role": "assistant", "content": "ng", "token_id": 2}, choice=_TOGETHER_CHOICE),
        piece({"content": "", "token_id": 3}, "eos", choice=_TOGETHER_CHOICE, usage=COUNTED),
    ),
    [{"id": "openai/gpt-oss-120b", "type": "chat"}, {"id": "a/painter", "type": "image"}],
    ("openai/gpt-oss-120b", "a/painter"),
)
_LM_STUDIO: Final = Answers(
    whole({"content": "pong", "reasoning_content": "hm", "tool_calls": []}, stats={}),
    events(
        piece({"role": "assistant", "reasoning_content": "hm"}, system_fingerprint="m"),
        piece({"content": "pong"}),
        piece({}, "stop"),
        counting(),
    ),
    named({"id": "openai/gpt-oss-20b", "owned_by": "organization_owner"}),
    ("openai/gpt-oss-20b",),
    "hm",
)
_TIMINGS: Final = {"prompt_n": 9, "predicted_n": 5, "predicted_per_second": 70.1}
_LLAMA_CPP: Final = Answers(
    whole({"content": "pong", "reasoning_content": "hm"}, timings=_TIMINGS),
    events(
        piece({"role": "assistant", "content": None}),
        piece({"reasoning_content": "hm"}),
        piece({"content": "pong"}),
        piece({}, "stop"),
        counting(timings=_TIMINGS),
    ),
    {
        "models": [{"name": "gpt-oss-20b", "model": "gpt-oss-20b"}],
        **named({"id": "gpt-oss-20b", "owned_by": "llamacpp", "meta": {"n_ctx_train": 131_072}}),
    },
    ("gpt-oss-20b",),
    "hm",
)
_SPECIFIC: Final = {"provider_specific_fields": {"refusal": None}}
_LITELLM: Final = Answers(
    whole({"content": "pong", "function_call": None, "tool_calls": None, **_SPECIFIC}),
    events(
        piece({"role": "assistant", "content": "pong", **_SPECIFIC}, citations=None),
        piece({}, "stop"),
        counting(),
    ),
    named({"id": "gpt-4o", "created": 1, "owned_by": "openai"}),
    ("gpt-4o",),
)
_SERVED_BY: Final = [{"provider": "groq", "status": "live", "context_length": 131_072}]
_HUGGING_FACE: Final = Answers(
    whole({"content": "pong", "reasoning": "hm"}, x_groq={"id": "req_1"}),
    events(
        piece({"role": "assistant", "reasoning": "hm"}),
        piece({"content": "pong"}),
        piece({}, "stop"),
        counting(),
    ),
    named({"id": "openai/gpt-oss-120b", "owned_by": "openai", "providers": _SERVED_BY}),
    ("openai/gpt-oss-120b",),
    "hm",
)
ANSWERS: Final = {
    "azure": _AZURE,
    "bedrock": _BEDROCK,
    "mistral": _MISTRAL,
    "groq": _GROQ,
    "openrouter": _OPENROUTER,
    "together": _TOGETHER,
    "lm-studio": _LM_STUDIO,
    "llama-cpp": _LLAMA_CPP,
    "litellm": _LITELLM,
    "hugging-face": _HUGGING_FACE,
}
