"""How answers end at OpenAI, Azure, and servers of their kind that `openai` may lead to.

Sources: platform.openai.com/docs/api-reference/chat; learn.microsoft.com, "Content filtering" and
"Content streaming" of Azure OpenAI; openrouter.ai/docs, "Errors" and "Streaming"; docs.mistral.ai,
"Reasoning"; docs.bigmodel.cn, which is Z.ai's.
"""

import json
from dataclasses import replace
from typing import Final

from aurorasoc.errors import Blocked, ContextTooLong, ProviderRateLimited, Refused
from tests.component.wire.endings.chat_completions import (
    APART,
    BROKEN_CALLS,
    COUNT,
    COUNTED_APART,
    SERVER_ERROR,
    SHARED,
    begun,
    failing,
    says,
    thoughts,
    thoughts_only,
)
from tests.component.wire.endings.kinds import (
    PARTIAL,
    Answered,
    Ending,
    Failed,
    Rows,
    Write,
    both,
    streamed_only,
    whole_only,
)
from tests.component.wire.endings.prompts import AZURE, PROMPTS
from tests.world.vendor import Fault
from tests.world.vendor_bodies import before, chat, chat_pieces, streamed, then, whole

_MISTRAL: Final = [
    {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]},
    {"type": "text", "text": "pong"},
]

_BEDROCK: Final = ("<reasoning>h</reasoning>", "<reasoning>m</reasoning>", "pong")
_ROUTED: Final = {"code": 429, "message": "slow down"}
_ANNOTATED: Final = {"index": 0, "finish_reason": None, "content_filter_results": AZURE}
_ERROR_CHOICE: Final = {"index": 0, "delta": {"content": ""}, "finish_reason": "error"}


def _either(reply: Fault) -> Write:
    """Return the same error, whether a stream was asked for or not."""
    return lambda _: reply


def _in_a_field_of_its_own(begun: Fault) -> Fault:
    """Go on with an error as llama.cpp streamed it before September 2025."""
    message = "the request exceeds the available context size. try increasing the context size"
    error = json.dumps({"code": 400, "message": message, "type": "invalid_request_error"})
    done = streamed(done=True).body
    return replace(begun, body=begun.body + f"error: {error}\n\n".encode() + done)


OPENAI: Final[Rows] = (
    *SHARED,
    *BROKEN_CALLS,
    both(
        Ending.COUNTED,
        "thoughts apart",
        COUNTED_APART,
        says({"content": "pong"}, usage={**COUNT, **APART}),
    ),
    streamed_only(
        Ending.COUNTED,
        "with Azure's annotations",
        COUNTED_APART,
        before(
            chat({"content": "pong"}, "stop", stream=True, usage={**COUNT, **APART}),
            {"choices": [], "prompt_filter_results": [{"prompt_index": 0}]},
            {"choices": [{**_ANNOTATED, "content_filter_results": {}}]},
        ),
    ),
    thoughts("reasoning_content", {"reasoning_content": "hm", "content": "pong"}),
    thoughts("reasoning", {"reasoning": "hm", "content": "pong"}),
    thoughts("Mistral's parts", {"content": _MISTRAL}),
    streamed_only(
        Ending.THOUGHTS_APART,
        "Bedrock's tags, around each piece",
        Answered(thoughts="hm"),
        chat_pieces(*({"content": piece} for piece in _BEDROCK)),
    ),
    *thoughts_only("reasoning_content"),
    both(
        Ending.REFUSED,
        "refusal, nothing said",
        Failed(Refused),
        says({"content": None, "refusal": "I can't help with that."}),
    ),
    both(
        Ending.REFUSED,
        "refusal, half said",
        Failed(Refused),
        says({"content": PARTIAL, "refusal": "I can't help with that."}),
    ),
    both(
        Ending.BLOCKED,
        "content_filter, nothing said",
        Failed(Blocked, "content_filter"),
        says({"content": ""}, "content_filter"),
    ),
    both(
        Ending.BLOCKED,
        "Azure's content_filter, half said",
        Failed(Blocked, "violence"),
        says({"content": PARTIAL}, "content_filter", content_filter_results=AZURE),
    ),
    streamed_only(
        Ending.BLOCKED,
        "Azure's asynchronous content_filter",
        Failed(Blocked, "violence"),
        then(begun(), {"choices": [_ANNOTATED | {"finish_reason": "content_filter"}]}, done=True),
    ),
    both(
        Ending.BLOCKED,
        "Z.ai's sensitive",
        Failed(Blocked, "sensitive"),
        says({"content": PARTIAL}, "sensitive"),
    ),
    *(
        both(Ending.BLOCKED_PROMPT, name, Failed(Blocked, category), _either(reply))
        for name, reply, category in PROMPTS
    ),
    *failing("server_error", SERVER_ERROR, 500),
    whole_only(
        Ending.FAILED,
        "OpenRouter's error beside a reason",
        Failed(ProviderRateLimited),
        whole({"error": _ROUTED, "choices": [{"message": {"content": "x"}}]}),
    ),
    streamed_only(
        Ending.FAILED,
        "OpenRouter's error beside a reason",
        Failed(ProviderRateLimited),
        then(begun(), {"error": _ROUTED, "choices": [_ERROR_CHOICE]}),
    ),
    *(
        streamed_only(
            Ending.FAILED,
            f"an old llama.cpp's error in a field of its own, {what} said",
            Failed(ContextTooLong),
            _in_a_field_of_its_own(said),
        )
        for what, said in (("nothing", streamed()), ("half", begun()))
    ),
)
