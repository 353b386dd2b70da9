"""The JSON objects that stand in a text, among words and braces, in the order they begin.

A model writes around its JSON, and what it writes may hold braces. Each place that an object may
begin at is tried. What a try costs is counted: a text made for it can't take time squared.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import islice
from typing import Final, TypeVar

from pydantic import BaseModel, ValidationError

from aurorasoc.core.foreign_json import repaired

TModel = TypeVar("TModel", bound=BaseModel)

MOST_OBJECTS: Final = 200
"""JSON objects of one text that are compared with what was asked for."""

_DECODER: Final = json.JSONDecoder()
_BEGINNING: Final = re.compile(r'\{(?=\s*["}])')
_READINGS: Final = 8
"""How often a text may be read in all."""

_LEAST: Final = 100_000
"""Characters that may be read of any text: short ones with many braces cost next to nothing."""

_SEARCHED: Final = 100_000_000
"""Characters that failed tries may search: the parser counts the lines before each failure."""


def objects_in(text: str) -> Iterator[str]:
    """Yield each text that is a JSON object, outer ones before those within them."""
    left = max(_READINGS * len(text), _LEAST)
    tries = max(_READINGS, _SEARCHED // (len(text) + 1))
    for match in islice(_BEGINNING.finditer(text), tries):
        begin = match.start()
        is_object, end = _read(text, begin)
        left -= end - begin
        if is_object:
            yield text[begin:end]
        if left <= 0:
            return


def objects_as(
    text: str, schema: type[TModel], context: object = None
) -> Iterator[tuple[str, TModel | ValidationError]]:
    """Yield each JSON object of a text with its value, or with why it doesn't fit a schema.

    Args:
        text: A model's answer.
        schema: What it is read as.
        context: What the schema's validators get as `info.context`.
    """
    for candidate in islice(objects_in(text), MOST_OBJECTS):
        try:
            yield candidate, schema.model_validate_json(repaired(candidate), context=context)
        except ValidationError as error:
            yield candidate, error


def _read(text: str, begin: int) -> tuple[bool, int]:
    """Return whether an object begins there, and how far the text had to be read."""
    try:
        return True, _DECODER.raw_decode(text, begin)[1]
    except json.JSONDecodeError as error:
        unended = error.msg.startswith("Unterminated")  # its place is where the text began
        return False, len(text) if unended else max(error.pos, begin + 1)
    except (RecursionError, ValueError):  # nested too deeply, or a number of too many digits
        return False, len(text)
