"""What a model is: its window, longest answer, prices and retirement.

LiteLLM's bundled table describes vendors' own models; what calls taught wins. Its rows are written
by many people: a value that can't be true is not known.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

from aurorasoc.granite import ModelReference
from aurorasoc.llm.wire.asking.learned import Capabilities
from aurorasoc.llm.wire.libraries.litellm_table import longest_answer, vendors_row
from aurorasoc.llm.wire.prices import per_million
from aurorasoc.llm.wire.windows.known import ContextWindow, known_window, plausible

WindowNamer = Literal["server", "refusal", "test", "table"]


@dataclass(frozen=True, slots=True)
class Prices:
    """What a vendor's list asks for a million tokens, in US dollars; None: not known.

    Discounts and surcharges (batches, off-peak hours, long prompts) are left out.

    Attributes:
        input: Of a prompt.
        cached_input: Of the part of a prompt that the vendor had cached.
        output: Of an answer, thoughts included.
    """

    input: float | None = None
    cached_input: float | None = None
    output: float | None = None


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What is known of a model. None: not known.

    Attributes:
        context_window: Tokens of prompt and answer together.
        context_window_source: Who named it: the model's server, a refusal, the last test of the
            model, or LiteLLM's table.
        max_output_tokens: Tokens of an answer at most.
        prices: What the vendor asks for.
        retires_on: The day from which the vendor doesn't serve it, as `2026-10-23`.
    """

    context_window: int | None = None
    context_window_source: WindowNamer | None = None
    max_output_tokens: int | None = None
    prices: Prices | None = None
    retires_on: str | None = None


def facts_of(reference: ModelReference, capabilities: Capabilities | None) -> ModelFacts:
    """Return what is known of a model. Nobody is asked; await `litellm_table.load` before.

    Args:
        reference: The model. A gateway's has neither prices nor a retirement.
        capabilities: What the last test of that model found.
    """
    row = vendors_row(reference)
    tested = capabilities or Capabilities()
    window, source = _window(known_window(reference), tested, row)
    return ModelFacts(
        context_window=window,
        context_window_source=source,
        max_output_tokens=tested.max_output_tokens or longest_answer(row),
        prices=_prices(row),
        retires_on=_day(row.get("deprecation_date")),
    )


def window_in_table(reference: ModelReference) -> int | None:
    """Return the window of a vendor's own model in tokens, as the table has it."""
    return plausible(vendors_row(reference).get("max_input_tokens"))


def _window(
    window: ContextWindow | None, tested: Capabilities, row: Mapping[str, Any]
) -> tuple[int | None, WindowNamer | None]:
    """Return the window that was learnt last, and who named it."""
    if window is not None and window.source in {"server", "refusal"}:
        return window.tokens, window.source
    in_table = plausible(row.get("max_input_tokens"))
    if tested.context_window not in (None, in_table):
        return tested.context_window, "test"
    return in_table, "table" if in_table else None


def _prices(row: Mapping[str, Any]) -> Prices | None:
    prices = Prices(
        input=per_million(row.get("input_cost_per_token")),
        cached_input=per_million(row.get("cache_read_input_token_cost")),
        output=per_million(row.get("output_cost_per_token")),
    )
    return None if prices == Prices() else prices


def _day(value: object) -> str | None:
    try:
        return date.fromisoformat(value).isoformat() if isinstance(value, str) else None
    except ValueError:
        return None
