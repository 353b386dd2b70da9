"""How many tokens a model holds: its context window, kept in memory by address and model.

A server may be started anew with another window, so a finding is kept for ten minutes at most.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from aurorasoc.granite import ModelReference

WindowSource = Literal["server", "refusal", "assumed", "table"]
Clock = Callable[[], float]

KEPT_SECONDS: Final = 600.0
UNKNOWN_SECONDS: Final = 60.0
"""How long nobody is asked again who didn't know."""
MOST_KEPT: Final = 1_000

_LEAST: Final = 128
_MOST: Final = 100_000_000
"""A number outside of these bounds is no window."""


@dataclass(frozen=True, slots=True)
class ContextWindow:
    """How many tokens a model holds, prompt and answer together.

    Attributes:
        tokens: The window.
        source: Who said so: the server; a refusal of it; nobody, it is the least that an Ollama
            has until its model is loaded; or LiteLLM's bundled table.
    """

    tokens: int
    source: WindowSource


@dataclass(frozen=True, slots=True)
class _Kept:
    window: ContextWindow | None
    expires: float


_Place = tuple[str, str, str]
_kept: OrderedDict[_Place, _Kept] = OrderedDict()


def is_known(reference: ModelReference, clock: Clock = time.monotonic) -> bool:
    """Whether memory has an answer, which may be that nobody knows the window."""
    kept = _kept.get(_place(reference))
    return kept is not None and kept.expires > clock()


def known_window(reference: ModelReference, clock: Clock = time.monotonic) -> ContextWindow | None:
    """Return the window as far as it is in memory: nobody is asked."""
    return _kept[_place(reference)].window if is_known(reference, clock) else None


def keep_window(
    reference: ModelReference, window: ContextWindow | None, clock: Clock = time.monotonic
) -> None:
    """Keep what was learnt, or that nobody knows it; neither an assumption nor nonsense."""
    place = _place(reference)
    if window is not None and (window.source == "assumed" or plausible(window.tokens) is None):
        _kept.pop(place, None)
        return
    seconds = UNKNOWN_SECONDS if window is None else KEPT_SECONDS
    _kept[place] = _Kept(window, clock() + seconds)
    _kept.move_to_end(place)
    while len(_kept) > MOST_KEPT:
        _kept.popitem(last=False)


def forget_window(reference: ModelReference) -> None:
    """Forget a window that turned out to be wrong."""
    _kept.pop(_place(reference), None)


def plausible(tokens: object) -> int | None:
    """Return what can be a number of tokens that a model holds; None for anything else."""
    return tokens if type(tokens) is int and _LEAST <= tokens <= _MOST else None


def _place(reference: ModelReference) -> _Place:
    return str(reference.provider), reference.base_url or reference.origin, reference.model
