"""How many tokens a call took, as the vendor counted them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

_MOST_TOKENS: Final = 10**9
"""No count: JSON holds integers of any length."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens, as the vendor counted them.

    Attributes:
        prompt_tokens: Of the prompt, cached ones included.
        completion_tokens: Of the answer and of the thoughts before it.
        total_tokens: As the vendor says, or the sum of both.
        thought_tokens: Of the thoughts alone; None if the vendor doesn't count them apart.
        cached_tokens: Of the prompt, those that came from the vendor's cache; None as above.
        cache_write_tokens: Of the prompt, those that were put there; None as above.
    """

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    thought_tokens: int | None = None
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None

    def totals(self) -> dict[str, int]:
        """Return the counts that every vendor has, by name."""
        return {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "total_tokens": self.total_tokens,
        }

    def plus(self, other: Usage | None) -> Usage | None:
        """Return the sum of two calls; None if one of them was not counted."""
        if other is None:
            return None
        return Usage(
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
            self.total_tokens + other.total_tokens,
            _sum(self.thought_tokens, other.thought_tokens),
            _sum(self.cached_tokens, other.cached_tokens),
            _sum(self.cache_write_tokens, other.cache_write_tokens),
        )


def usage_of(
    fields: object,
    prompt: str,
    completion: str,
    total: str,
    details: str | None = None,
) -> Usage | None:
    """Read a vendor's count of tokens.

    Zeros throughout come from servers that count nothing: no prompt has no tokens.

    Args:
        fields: The vendor's object; whatever else it is counts nothing.
        prompt: The field with the prompt's tokens.
        completion: The field with the answer's.
        total: The field with their sum.
        details: The object whose `reasoning_tokens` are the thoughts'.
    """
    if not isinstance(fields, Mapping):
        return None
    asked, answered = tokens(fields.get(prompt)), tokens(fields.get(completion))
    if asked is None or answered is None or not asked + answered:
        return None
    apart = fields.get(details) if details else None
    thoughts = apart.get("reasoning_tokens") if isinstance(apart, Mapping) else None
    whole = tokens(fields.get(total))
    return Usage(
        asked,
        answered,
        asked + answered if whole is None else whole,
        tokens(thoughts),
    )


def with_cached(usage: Usage | None, *counts: object) -> Usage | None:
    """Return a count with the tokens that came from the vendor's cache.

    Args:
        usage: The count; None if there is none.
        counts: Where they may stand; the first that is a number of tokens holds.
    """
    cached = next((n for n in map(tokens, counts) if n is not None), None)
    return usage if usage is None or cached is None else replace(usage, cached_tokens=cached)


def _sum(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else one + other


def tokens(value: object) -> int | None:
    """Return a number of tokens, if it is one."""
    is_count = isinstance(value, int) and not isinstance(value, bool)
    return value if is_count and 0 <= value < _MOST_TOKENS else None  # type: ignore[operator, return-value]
