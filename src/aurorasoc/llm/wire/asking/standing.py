"""What a connection asks of every call to which its caller says nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from aurorasoc.granite import ModelReference
from aurorasoc.granite.catalog import CATALOG
from aurorasoc.llm.wire.libraries.litellm_table import longest_answer, vendors_row
from aurorasoc.llm.wire.windows.known import known_window

_SHARE: Final = 2
"""A bound leaves half of a window to the prompt: servers refuse what both exceed together."""


class StandingOptions:
    """One model's standing options, by their names in a request. Made once for a built model.

    Args:
        reference: The model and its connection's options.
    """

    def __init__(self, reference: ModelReference) -> None:
        options = reference.options
        self._reference = reference
        self._bound = most_asked_for(reference)
        bound = self._bound or CATALOG[reference.provider].answer_limit
        asked = {
            "max_tokens": bound,
            "reasoning_effort": options.reasoning_effort,
            "temperature": options.temperature,
        }
        self._always = {name: value for name, value in asked.items() if value is not None}

    def under(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """Return a call's options, and what the connection asks where the call says nothing."""
        asked = {**self._always, **options}
        if self._bound is not None and "max_tokens" not in options:
            window = known_window(self._reference)
            if window is not None:
                asked["max_tokens"] = within_window(self._bound, window.tokens)
        return asked

    def most(self, most: int | None) -> int | None:
        """Return the higher limit that a second try may have: never above the connection's."""
        return most if self._bound is None else min(self._bound, most or self._bound)


def most_asked_for(reference: ModelReference) -> int | None:
    """Return a connection's bound on answers; a model's own limit where that is lower.

    The vendor would refuse more. At a gateway a name says nothing, so the bound stands.
    """
    bound = reference.options.max_output_tokens
    if bound is None:
        return None
    return min(bound, longest_answer(vendors_row(reference)) or bound)


def within_window(bound: int, window: int) -> int:
    """Return a bound on an answer that leaves room for a prompt."""
    return min(bound, max(1, window // _SHARE))
