"""Body fields that a call doesn't take: the nearest known one, and never the name that was sent.

That name is input, too, and may be a key that was entered in the wrong place.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from functools import lru_cache
from typing import Any, Final

from pydantic import TypeAdapter

MOST_COMPARED: Final = 8
"""Unknown fields for which an answer names the nearest: a body may hold thousands."""

_LONGEST: Final = 64
"""Characters of a name that is compared."""

_DEFINITION: Final = "#/$defs/"

Schema = dict[str, Any]


def with_nearest(issues: Sequence[Any], body: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - any annotation
    """Return a body's complaints; unknown fields are told what the call takes there.

    Args:
        issues: Pydantic's complaints, each with the way to its place from the request down.
        body: The body's annotation; None: the call takes none.
    """
    left, complaints = MOST_COMPARED, list[dict[str, Any]]()
    for issue in issues:
        place = tuple(issue["loc"])
        if issue["type"] == "extra_forbidden" and place[:1] == ("body",) and left > 0:
            left -= 1
            cure = _cure(str(place[-1]), _fields_at(body, place[1:-1]))
            complaints.append({**issue, "msg": f"Unknown field: {cure}"})
        else:
            complaints.append(issue)
    return complaints


def _cure(name: str, known: Sequence[str]) -> str:
    nearest = get_close_matches(name[:_LONGEST].lower(), known, n=1)
    takes = f"this takes {', '.join(known) or 'none'}"
    return f"did you mean {nearest[0]}?" if nearest else takes


def _fields_at(body: Any, way: Sequence[str | int]) -> list[str]:  # noqa: ANN401 - any annotation
    """Return the fields that are known at a place below the body, in their order."""
    whole = _schema_of(body)
    places = list(_members(whole, whole))
    for part in way:
        below = [one for place in places for one in _below(place, part)]
        # Pydantic puts the names of a union's members into the way: they lead nowhere.
        places = [one for schema in below for one in _members(schema, whole)] or places
    return list(dict.fromkeys(name for place in places for name in place.get("properties", {})))


@lru_cache(maxsize=128)
def _schema_of(body: Any) -> Schema:  # noqa: ANN401 - any annotation
    return TypeAdapter(body).json_schema()


def _members(schema: Schema, whole: Schema) -> Iterator[Schema]:
    """Yield the members of a union, or the one schema; references are followed."""
    if "$ref" in schema:
        name = schema["$ref"].removeprefix(_DEFINITION)
        yield from _members(whole["$defs"][name], whole)
    elif members := schema.get("anyOf") or schema.get("oneOf"):
        for member in members:
            yield from _members(member, whole)
    else:
        yield schema


def _below(schema: Schema, part: str | int) -> Iterator[Schema]:
    """Yield the schemas that a field may have, or an item."""
    if isinstance(part, int):
        below = [schema.get("items")]
    elif part in (fields := schema.get("properties", {})):
        below = [fields[part]]
    else:  # callers name these
        below = [schema.get("additionalProperties"), *schema.get("patternProperties", {}).values()]
    yield from (one for one in below if isinstance(one, dict))
