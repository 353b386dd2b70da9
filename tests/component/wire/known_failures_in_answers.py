"""How the services of `known_addresses` fail in an answer that began with status 200."""

from typing import Any, Final

from tests.component.wire.known_answers import OPENROUTER_ALIVE, counting, piece, whole
from tests.component.wire.known_failures import GENERATION, NO_FIT, Failure
from tests.world.known_vendor import Said, events

_DOWN: Final = {"code": 502, "message": "Provider disconnected mid-stream"}
_SLOW_DOWN: Final = {
    "code": 429,
    "message": "Provider returned error",
    "metadata": {"raw": "m is temporarily rate-limited upstream.", "provider_name": "Groq"},
}
_TOO_LONG: Final = {
    "code": 400,
    "message": "This endpoint's maximum context length is 8192 tokens. However, you requested 9001",
}


def _stopped(error: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Return the last event of a stream that failed at OpenRouter."""
    return piece({"content": ""}, "error", provider="Groq", error=error, **more)


IN_WHOLE: Final = {
    "OpenRouter: behind it": Failure(
        "openrouter", whole({"content": "half"}, "error", choice={"error": _DOWN}), "overloaded"
    ),
    "OpenRouter: a rate behind it": Failure(
        "openrouter", whole({"content": ""}, "error", choice={"error": _SLOW_DOWN}), "rate_limited"
    ),
    "OpenRouter: a long prompt": Failure(
        "openrouter",
        whole({"content": ""}, "error", choice={"error": _TOO_LONG}),
        "context_too_long",
    ),
    "OpenRouter: instead of an answer": Failure(
        "openrouter", Said({"error": _SLOW_DOWN, "user_id": "u"}), "rate_limited"
    ),
    "LM Studio: a long prompt, untold": Failure(
        "lm-studio", whole({"content": ""}), "bad_response", "nothing that can be seen"
    ),
    "Mistral: it broke off": Failure("mistral", whole({"content": "half"}, "error"), "overloaded"),
}
"""Whole answers with status 200."""

IN_STREAM: Final = {
    "Groq: a tool that isn't there": Failure(
        "groq",
        events(
            {
                "error": {
                    "message": "Failed to call a function. See 'failed_generation'.",
                    "code": "tool_use_failed",
                    "status_code": 400,
                    **GENERATION,
                }
            },
            done=False,
        ),
        "bad_response",
        "broke off",
    ),
    "OpenRouter: behind it": Failure(
        "openrouter",
        events(OPENROUTER_ALIVE, piece({"content": "half"}), _stopped(_DOWN)),
        "overloaded",
    ),
    "OpenRouter: a rate behind it": Failure(
        "openrouter", events(OPENROUTER_ALIVE, _stopped(_SLOW_DOWN)), "rate_limited"
    ),
    "OpenRouter: in the choice": Failure(
        "openrouter",
        events(piece({"content": ""}, "error", choice={"error": _SLOW_DOWN})),
        "rate_limited",
    ),
    "LM Studio: a long prompt, untold": Failure(
        "lm-studio",
        events(piece({"role": "assistant"}), piece({}, "stop"), counting()),
        "bad_response",
        "nothing that can be seen",
    ),
    "LM Studio: a long prompt": Failure(
        "lm-studio",
        events("event: error\n", {"error": {"message": NO_FIT}, "message": NO_FIT}, done=False),
        "context_too_long",
    ),
}
"""Streams that begin with status 200."""
