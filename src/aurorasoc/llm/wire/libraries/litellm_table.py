"""What the installed litellm's bundled table says of a vendor's models, by exact name.

The file itself is read, and litellm isn't imported for it: that takes seconds, and
`litellm.model_cost` may have been fetched or added to by a host. The first look-up reads three
megabytes: await `load` before it.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from aurorasoc.config.vocabulary import ServingBackend
from aurorasoc.core.logs import get_logger
from aurorasoc.granite import ModelReference
from aurorasoc.granite.base_url import origin_of
from aurorasoc.granite.catalog import CATALOG
from aurorasoc.granite.known_addresses import KNOWN_ADDRESSES, table_at
from aurorasoc.llm.wire.windows.known import plausible

_FILE: Final = "model_prices_and_context_window_backup.json"
_NOTHING: Final[Mapping[str, Any]] = {}
_VENDORS: Final = frozenset({*ServingBackend} | {row.table for row in KNOWN_ADDRESSES if row.table})

log = get_logger("aurorasoc.litellm_table")


async def load() -> None:
    """Read the table in a thread, unless that is done."""
    if not _table.cache_info().currsize:
        await asyncio.to_thread(_table)


def row_of(vendor: str, model: str) -> Mapping[str, Any]:
    """Return what is known of a vendor's model; nothing for a name that isn't there."""
    row = _table().get(model, _NOTHING)
    return row if row.get("litellm_provider") == vendor else _NOTHING


def vendors_row(reference: ModelReference) -> Mapping[str, Any]:
    """Return what is known of the model that answers a reference's calls, if its vendor answers.

    Nothing for Ollama, vLLM, and a gateway: it may serve anything under a vendor's name.
    """
    vendor = _vendor_of(reference)
    return _NOTHING if vendor is None else _row_named(vendor, reference.model)


def _vendor_of(reference: ModelReference) -> str | None:
    """Return the table's name of the vendor whose own address a reference leads to, if it does."""
    spec = CATALOG[reference.provider]
    if spec.may_be_local:
        return None
    if reference.base_url is None or reference.origin == origin_of(spec.default_base_url):
        return reference.provider.value
    return table_at(reference.origin) if reference.provider is ServingBackend.OPENAI else None


def answers_on_responses(model: str) -> bool:
    """Whether OpenAI answers a model on `/v1/responses` only."""
    return row_of("openai", model).get("mode") == "responses"


def longest_answer(row: Mapping[str, Any]) -> int | None:
    """Return how many tokens an answer has at most; None if a row names no number that can be."""
    return plausible(row.get("max_output_tokens"))


def most_output_tokens(reference: ModelReference) -> int | None:
    """Return the highest limit on an answer that a model takes; None if it isn't known.

    A gateway's model counts by its name here, as nowhere else: a limit that is too high is refused,
    while one that is too low cuts answers off.
    """
    vendor = _vendor_of(reference) or reference.provider.value
    return longest_answer(_row_named(vendor, reference.model))


def _row_named(vendor: str, model: str) -> Mapping[str, Any]:
    """Return the row of a name as its vendor spells it; the table prefixes some of them."""
    if model.startswith(f"{vendor}/"):
        return _NOTHING  # the prefix is the table's, not the vendor's
    return row_of(vendor, f"{vendor}/{model}") or row_of(vendor, model)


@cache
def _table() -> Mapping[str, Mapping[str, Any]]:
    package = find_spec("litellm")
    return read_table(Path((package and package.origin) or "litellm/__init__.py").with_name(_FILE))


def read_table(file: Path) -> Mapping[str, Mapping[str, Any]]:
    """Return the rows of the providers that we know; none, and a warning, from a damaged file."""
    try:
        rows = json.loads(file.read_text("utf-8"), object_pairs_hook=_without_strangers)
    except (OSError, ValueError, RecursionError) as error:
        log.warning("litellm's table of models can't be read", reason=type(error).__name__)
        return {}
    if not isinstance(rows, dict):
        return {}
    return {name: row for name, row in rows.items() if isinstance(row, dict) and row}


def _without_strangers(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Drop other vendors' rows at once: nine of ten.

    A function in Python lets other threads go on: the parser alone holds them for its whole run.
    """
    row = dict(pairs)
    vendor = row.get("litellm_provider")
    return row if vendor is None or str(vendor) in _VENDORS else {}
