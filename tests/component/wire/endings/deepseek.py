"""How answers end at DeepSeek.

Source: api-docs.deepseek.com, "Create Chat Completion", "Error Codes" and "Rate Limit".
"""

from dataclasses import replace
from typing import Final

from aurorasoc.errors import Blocked
from aurorasoc.llm.wire.answers.outcome import Finish
from tests.component.wire.endings.chat_completions import (
    APART,
    BROKEN_CALLS,
    COUNT,
    COUNTED_APART,
    NO_REFUSAL,
    SERVER_ERROR,
    SHARED,
    failing,
    says,
    thoughts,
    thoughts_only,
)
from tests.component.wire.endings.kinds import PARTIAL, Answered, Ending, Failed, Never, Rows, both
from tests.world.vendor import Fault
from tests.world.vendor_bodies import chat, whole


def _kept_waiting(stream: bool) -> Fault:  # noqa: FBT001 - as a `Write` is called
    """Return an answer behind what DeepSeek sends meanwhile: empty lines, or comments."""
    usage = {**COUNT, **APART}
    fault = chat({"content": "pong"}, "stop", stream=stream, usage=usage)
    return replace(fault, body=(b": keep-alive\n\n" if stream else b"\n\n\n") + fault.body)


DEEPSEEK: Final[Rows] = (
    *SHARED,
    *BROKEN_CALLS,
    both(Ending.COUNTED, "behind a busy server's signs of life", COUNTED_APART, _kept_waiting),
    thoughts("reasoning_content", {"reasoning_content": "hm", "content": "pong"}),
    *thoughts_only("reasoning_content"),
    both(
        Ending.CUT,
        "insufficient_system_resource",
        Answered(PARTIAL, Finish.LENGTH),
        says({"content": PARTIAL}, "insufficient_system_resource"),
    ),
    Never(Ending.REFUSED, NO_REFUSAL),
    both(
        Ending.BLOCKED,
        "content_filter",
        Failed(Blocked, "content_filter"),
        says({"content": PARTIAL}, "content_filter"),
    ),
    both(
        Ending.BLOCKED_PROMPT,
        "Content Exists Risk",
        Failed(Blocked),
        lambda _: whole(
            {
                "error": {
                    "message": "Content Exists Risk",
                    "type": "invalid_request_error",
                    "param": None,
                    "code": "invalid_request_error",
                }
            },
            400,
        ),
    ),
    *failing("server_error", {**SERVER_ERROR, "message": "Server Overloaded"}, 503),
)
