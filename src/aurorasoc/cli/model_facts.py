"""What is known of a model, in words: one line of `aurorasoc connections list`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aurorasoc.llm.models.facts import ModelFacts, Prices


def in_words(facts: ModelFacts | None) -> str:
    """Return the sizes, prices and retirement that are known; empty for none."""
    if facts is None:
        return ""
    parts = [
        facts.context_window and f"context {facts.context_window:,}",
        facts.max_output_tokens and f"output {facts.max_output_tokens:,} tokens",
        facts.prices and _prices(facts.prices),
        facts.retires_on and f"retirement {facts.retires_on}",
    ]
    return ", ".join(part for part in parts if part)


def _prices(prices: Prices) -> str:
    asked = {"input": prices.input, "cached": prices.cached_input, "output": prices.output}
    amounts = [f"{name} {price:g}" for name, price in asked.items() if price is not None]
    return f"USD per million tokens: {' / '.join(amounts)}"
