"""Looks into JSON that others wrote: whatever isn't as documented is as if it were not there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

_NOTHING: Final[Mapping[str, Any]] = {}


def mapping(value: object) -> Mapping[str, Any]:
    """Return an object; an empty one for anything else."""
    return value if isinstance(value, Mapping) else _NOTHING


def mappings(value: object) -> Iterator[Mapping[str, Any]]:
    """Yield the objects of a list."""
    for item in value if isinstance(value, list) else ():
        if isinstance(item, Mapping):
            yield item


def answer_among(choices: object) -> Mapping[str, Any]:
    """Return the answer that counts of several that may come: number 0, or one without a number.

    One is asked for. Others are other texts, and no part of it; an empty object stands for none.
    """
    return next((choice for choice in mappings(choices) if not choice.get("index")), _NOTHING)
