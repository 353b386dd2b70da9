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


def first(value: object) -> Mapping[str, Any]:
    """Return a list's first object; an empty one if there is none."""
    return mapping(value[0]) if isinstance(value, list) and value else _NOTHING
