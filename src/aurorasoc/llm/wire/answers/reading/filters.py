"""What a filter names as its reason.

Source: learn.microsoft.com, "Content filtering" of Azure OpenAI. Each category is an object with
`filtered`; the words for prompts and answers are the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from aurorasoc.llm.wire.answers.reading.fields import mapping

_MOST_NAMED: Final = 3


def filtered(results: object) -> str | None:
    """Return the categories that stopped something, such as `jailbreak` or `hate, violence`."""
    named = sorted(_filtered(mapping(results)))[:_MOST_NAMED]
    return ", ".join(named) or None


def _filtered(results: Any) -> Iterator[str]:  # noqa: ANN401 - an object of the vendor
    for name, result in results.items():
        if mapping(result).get("filtered") is True:
            yield name
