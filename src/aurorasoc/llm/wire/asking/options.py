"""Which options of `run()` exist. All others are refused: what isn't known carries nothing."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import Any, Final

from aurorasoc.errors import InvalidInput

TRANSLATED: Final = frozenset(
    {
        "frequency_penalty",
        "max_tokens",
        "n",
        "parallel_tool_calls",
        "presence_penalty",
        "reasoning_effort",
        "response_format",
        "seed",
        "stop",
        "temperature",
        "tool_choice",
        "tools",
        "top_k",
        "top_p",
    }
)
"""What a request to a vendor may say, in OpenAI's names."""

_IN_THIS_PROCESS: Final = frozenset(
    {
        "cache_control_injection_points",
        "context",
        "fallback_tool",
        "max_retries",
        "signal",
        "stop_sequences",
        "stream",
        "stream_partial_tool_calls",
        "validate_response_format",
    }
)
"""What BeeAI and its agents set beside; their `stop_sequences` is OpenAI's `stop`."""

ALLOWED: Final = TRANSLATED - {"stop"} | _IN_THIS_PROCESS
"""The options of a handle's `run()`: those of BeeAI's `ChatModel.run()`."""


def require_known(options: Mapping[str, Any]) -> None:
    """Refuse what no call takes.

    Raises:
        InvalidInput: An option isn't on the list, or asks for several answers.
    """
    unknown = sorted(options.keys() - ALLOWED)
    if unknown:
        detail = f"run() takes no {', '.join(unknown)}. It takes: {', '.join(sorted(ALLOWED))}."
        raise InvalidInput(detail)
    if options.get("n") not in {None, 1}:
        detail = "run() gives one answer: leave n out, or make it 1."
        raise InvalidInput(detail)


_UNASKED: Final = frozenset({"temperature", "parallel_tool_calls"})
"""What BeeAI adds to every call by itself; reasoning models and some servers refuse it."""


def translated(adapted: Mapping[str, Any], asked: AbstractSet[str]) -> dict[str, Any]:
    """Pick what may be said to a vendor from all that BeeAI's adapter puts together.

    Args:
        adapted: What the adapter put together.
        asked: The names of what the caller set.
    """
    unasked = _UNASKED - asked
    picked = {n: value for n, value in adapted.items() if n in TRANSLATED and n not in unasked}
    if stop := adapted.get("stop_sequences"):
        picked["stop"] = stop
    return {name: value for name, value in picked.items() if value is not None}


def cache_points(adapted: Mapping[str, Any]) -> tuple[int, ...]:
    """Return which messages a prompt cache may end at, as BeeAI's agents name them."""
    points = adapted.get("cache_control_injection_points")
    named = points if isinstance(points, list) else []
    indices = [point.get("index") for point in named if isinstance(point, Mapping)]
    return tuple(index for index in indices if isinstance(index, int))
