"""Fit a prompt to the model's context window: the evidence gives way, and the prompt says so.

The bound holds for dense text, where hashes cost nearly a token a character: a prompt that fits
by it fits any tokenizer. Room for the answer is kept.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from typing import Final

from aurorasoc.errors import ContextTooLong
from aurorasoc.granite import ModelReference
from aurorasoc.llm.wire.asking.standing import most_asked_for, within_window
from aurorasoc.llm.wire.windows.known import ContextWindow
from aurorasoc.llm.wire.windows.token_bounds import most_tokens, tokens_of_sentences
from aurorasoc.workflows.investigation.evidence import MAX_EVIDENCE, Evidence
from aurorasoc.workflows.investigation.prompts import Draft

LEAST_ANSWER: Final = 800
"""Tokens that a report with all its fields needs: 650, measured."""

MOST_ANSWER: Final = 4096
"""Room for models that think before they answer; the schema bounds the answer itself."""

LEAST_EVIDENCE: Final = 400
"""Characters of an alert below which nothing can be said of it."""

SMALLEST_WINDOW: Final = 4096
"""Tokens that any server has: Ollama's default on small machines."""

_AROUND: Final = 250
"""Tokens of the chat template, the mark of a cut, and what a second try adds."""


@dataclass(frozen=True, slots=True)
class FittedPrompt:
    """A prompt that fits.

    Attributes:
        text: The prompt.
        left_out: Characters of the alert that it doesn't show.
    """

    text: str
    left_out: int


def fits_any_window(
    draft: Draft, evidence: Evidence, instructions: str, reference: ModelReference
) -> bool:
    """Whether a prompt has room everywhere, so that no window needs to be known.

    A bound that the connection asks for may be larger than a small window.
    """
    if most_asked_for(reference) is not None:
        return False
    shown = most_tokens(evidence.text[:MAX_EVIDENCE])
    return _frame(draft, instructions) + shown + _answer_room(SMALLEST_WINDOW) <= SMALLEST_WINDOW


def fitted(
    draft: Draft,
    evidence: Evidence,
    instructions: str,
    reference: ModelReference,
    window: ContextWindow | None,
) -> FittedPrompt:
    """Fit a prompt to a window.

    Args:
        draft: The prompt without its evidence.
        evidence: The alert's.
        instructions: The agent's, which precede the prompt.
        reference: The model; names it in errors.
        window: The model's; None if nobody knows it.

    Raises:
        ContextTooLong: Not even the beginning of the evidence fits.
    """
    if window is None:
        return _prompt(draft, evidence, MAX_EVIDENCE)
    frame = _frame(draft, instructions)
    room = window.tokens - frame - _room_for_answer(window.tokens, reference)
    shown = _characters(evidence.text[:MAX_EVIDENCE], room)
    if shown < min(LEAST_EVIDENCE, len(evidence.text)):
        raise _too_long(reference, window, frame + LEAST_ANSWER + LEAST_EVIDENCE)
    return _prompt(draft, evidence, shown)


def _room_for_answer(window: int, reference: ModelReference) -> int:
    """Return how many tokens stay for the answer: the connection's bound, where it has one."""
    bound = most_asked_for(reference)
    return _answer_room(window) if bound is None else within_window(bound, window)


def _answer_room(window: int) -> int:
    """Return how many tokens stay for the answer: a quarter, for models that think first."""
    return min(MOST_ANSWER, max(LEAST_ANSWER, window // 4))


def _frame(draft: Draft, instructions: str) -> int:
    """Return what surrounds the evidence at most, in tokens."""
    return draft.most_tokens + tokens_of_sentences(instructions) + _AROUND


def _prompt(draft: Draft, evidence: Evidence, shown: int) -> FittedPrompt:
    left_out = evidence.left_out(shown)
    return FittedPrompt(draft.prompt(evidence.shown(shown), left_out), left_out)


def _characters(text: str, tokens: int) -> int:
    """Return how many characters of a text surely fit."""
    if most_tokens(text) <= tokens:
        return len(text)
    return bisect_right(range(len(text)), tokens, key=lambda size: most_tokens(text[:size])) - 1


def _too_long(reference: ModelReference, window: ContextWindow, needed: int) -> ContextTooLong:
    detail = (
        f"{reference.model} of {reference.connection} holds {window.tokens} tokens, and this step "
        f"needs {needed} at least. Nothing was sent. Serve the model with a larger context window."
    )
    error = ContextTooLong(detail, provider=reference.provider, model=reference.model)
    error.context_window = window.tokens
    return error
