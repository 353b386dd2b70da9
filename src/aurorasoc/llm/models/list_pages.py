"""One page of a provider's list of models, in the shapes that vendors and servers write."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode

from aurorasoc.core import foreign_json

MAX_MODELS: Final = 2_000
MAX_NAME: Final = 255
_MAX_TOKEN: Final = 1_024


class Page(NamedTuple):
    """The names on a page, and the query that asks for the next one; None on the last."""

    names: tuple[str, ...]
    next_query: str | None


def read_page(body: bytes) -> Page:
    """Read a page.

    `{"data": [{"id": …}]}` is OpenAI's and most others', `{"models": [{"name": …}]}` Gemini's and
    Ollama's, a bare array Together's and GitHub's. Anthropic and Gemini have pages.

    Raises:
        AttributeError, LookupError, TypeError, ValueError: It is no such page.
    """
    document: Any = foreign_json.parsed(body)
    rows = document if isinstance(document, list) else _rows(document)
    names = tuple(_name(row)[:MAX_NAME] for row in rows[:MAX_MODELS])
    return Page(names, None if isinstance(document, list) else _next(document))


def _rows(document: Mapping[str, Any]) -> list[Any]:
    rows = document["data"] if "data" in document else document["models"]
    return [] if rows is None else list(rows)


def _name(row: Any) -> str:  # noqa: ANN401 - JSON
    name = row if isinstance(row, str) else row.get("id") or row.get("name") or row["model"]
    return str(name).removeprefix("models/")


def _next(document: Mapping[str, Any]) -> str | None:
    after = {
        "after_id": document.get("last_id") if document.get("has_more") is True else None,
        "pageToken": document.get("nextPageToken"),
    }
    for name, token in after.items():
        if isinstance(token, str) and 0 < len(token) <= _MAX_TOKEN:
            return urlencode({name: token})
    return None
