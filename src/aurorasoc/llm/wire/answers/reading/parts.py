"""Content that is a list of parts.

Sources: docs.mistral.ai, "Reasoning" (`thinking` holds parts of its own); Databricks' `reasoning`
with its `summary`; OpenAI's `text`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from aurorasoc.llm.wire.answers.reading.fields import mappings

_TEXTS: Final = frozenset({"text", "output_text"})
_THOUGHTS: Final = frozenset({"thinking", "reasoning"})
_WITHIN: Final = ("thinking", "reasoning", "summary", "text")


def parts_of(content: object) -> tuple[str, str]:
    """Return the thoughts and the text of a list of parts."""
    thoughts: list[str] = []
    texts: list[str] = []
    for part in mappings(content):
        kind = part.get("type")
        if kind in _THOUGHTS:
            thoughts += _texts_within(part)
        elif kind in _TEXTS and isinstance(part.get("text"), str):
            texts.append(part["text"])
    return "".join(thoughts), "".join(texts)


def _texts_within(part: Any) -> Iterator[str]:  # noqa: ANN401 - an object of the vendor
    for field in _WITHIN:
        value = part.get(field)
        if isinstance(value, str):
            yield value
        for inner in mappings(value):
            if isinstance(inner.get("text"), str):
                yield inner["text"]
