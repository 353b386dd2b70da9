"""Who is asked after a failure or a refusal: the words that settings, rows and requests share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal, cast, get_args

from aurorasoc.config.vocabulary import ConnectionName, is_connection_name

OnRefusal = Literal["fail", "local"]
"""What becomes of a hosted model's refusal: it is the answer, or the local backend is asked."""

MAX_FALLBACKS: Final = 8
"""How many connections a list of fallbacks may name: each may cost a call's whole time."""

FALLBACKS_RULE: Final = (
    f"at most {MAX_FALLBACKS} names of connections, none of them twice, and not auto"
)
"""The rule in words, after "expected:" or "must be"."""


def can_be_fallbacks(names: Sequence[ConnectionName]) -> bool:
    """Whether a list follows the rule; whether the connections exist is another question."""
    distinct = len(set(names)) == len(names)
    return len(names) <= MAX_FALLBACKS and distinct and all(map(is_connection_name, names))


def on_refusal(stored: str) -> OnRefusal:
    """Read a stored value; one that this version doesn't know asks nobody else."""
    return cast("OnRefusal", stored) if stored in get_args(OnRefusal) else "fail"
