"""What becomes of an answer that a limit cut off (docs/decisions/040).

Thoughts and answer share the limit. A call that ended before the first visible token is made once
more with a larger limit. Half a JSON document or tool call is of no use to anybody; half a text is
for its reader to judge, and says that it was cut.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from aurorasoc.errors import AnswerCut, CutBeforeAnswer, EmptyAnswer
from aurorasoc.granite import ModelReference
from aurorasoc.llm.wire.answers.outcome import Finish, Outcome

_FACTOR: Final = 4
LEAST_LARGER_LIMIT: Final = 16_384
"""Tokens: models that think spend thousands before they begin to answer."""


def says_nothing(outcome: Outcome) -> bool:
    """Whether nothing of an answer is visible."""
    return not (outcome.tool_calls or outcome.text.strip())


def larger_limit(limit: int | None, most: int | None, outcome: Outcome) -> int | None:
    """Return the limit with which to ask again; None if that wouldn't help.

    Args:
        limit: The limit that was sent, in tokens; None: the server's own held.
        most: What the model can answer at most, if that is known.
        outcome: How the call ended.
    """
    if outcome.finish is not Finish.LENGTH or not says_nothing(outcome):
        return None
    spent = outcome.usage.completion_tokens if outcome.usage else 0
    used = spent if limit is None else limit
    larger = max(_FACTOR * used, LEAST_LARGER_LIMIT)
    larger = larger if most is None else min(larger, most)
    return larger if larger > used else None


def both(first: Outcome, second: Outcome) -> Outcome:
    """Return the second call's outcome, with the tokens of both."""
    counted = first.usage and first.usage.plus(second.usage)
    return second if first is second else replace(second, usage=counted)


def require_whole(outcome: Outcome, reference: ModelReference, *, structured: bool) -> None:
    """Refuse the beginning of something that is of use only as a whole.

    Args:
        outcome: How the call ended.
        reference: Who was called.
        structured: Whether JSON was asked for.

    Raises:
        AnswerCut: A limit cut it off.
    """
    if outcome.finish is Finish.LENGTH and (outcome.tool_calls or structured):
        raise cut(reference)


def require_visible(outcome: Outcome, reference: ModelReference, *, tools: bool) -> None:
    """Refuse an answer of thoughts alone: not every vendor shows them, so it is empty.

    Args:
        outcome: How the call ended.
        reference: Who was called.
        tools: Whether there are tools that the model may want called; else it made one up.

    Raises:
        EmptyAnswer: It holds no text and no call of a tool.
        CutBeforeAnswer: A limit is why.
    """
    if outcome.text.strip() or (tools and outcome.tool_calls):
        return
    who = f"{reference.model} of {reference.connection}"
    leaf: type[EmptyAnswer] = EmptyAnswer
    detail = f"{who} answered nothing that can be seen. Ask again, or ask another model."
    if outcome.finish is Finish.LENGTH:
        leaf = CutBeforeAnswer
        detail = f"{who} was cut off before the first visible token. Allow more tokens."
    raise leaf(detail, provider=reference.provider, model=reference.model)


def cut(reference: ModelReference) -> AnswerCut:
    """Return the error for half an answer."""
    detail = (
        f"{reference.model} of {reference.connection} was cut off by a limit before the end of its "
        "answer. Ask for less, or allow more tokens."
    )
    return AnswerCut(detail, provider=reference.provider, model=reference.model)
