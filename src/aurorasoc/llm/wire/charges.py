"""What a call may cost at most and what it did cost: the seam between calls and budgets.

The wire says what it sends; `llm/budgets` keeps the books.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

from aurorasoc.granite import ModelReference
from aurorasoc.llm.wire.answers.usage import Usage
from aurorasoc.llm.wire.asking.learned import Refusable
from aurorasoc.llm.wire.asking.request import BOUNDS
from aurorasoc.llm.wire.libraries.litellm_table import most_output_tokens
from aurorasoc.llm.wire.windows.known import known_window

if TYPE_CHECKING:
    from aurorasoc.llm.wire.call_record import Purpose

UNASKED_ANSWER: Final = 16_384
"""Tokens that an answer may have where nobody says how many: what thinking models need, too."""

LEAST_ANSWER: Final = 256
"""Tokens. A call whose caller asked for no bound is given what is left, but never less."""

_TEMPLATE: Final = 256
"""Tokens that a server's chat template adds by itself; Harmony's are about a hundred."""

_TOOLS: Final = 1_024
"""Tokens that a vendor adds where there are tools: up to 804 at Anthropic.

https://docs.anthropic.com/en/docs/agents-and-tools/tool-use/overview
"""

_ATTACHMENT: Final = 8_192
"""Tokens of an image: 4,128 for a large one at Gemini, less elsewhere."""


@dataclass(frozen=True, slots=True)
class Size:
    """The most that one transmission may cost, in tokens.

    Attributes:
        prompt: Of the prompt: each token covers a byte at least.
        completion: Of the answer, thoughts included; None: nobody knows a bound.
        fixed: Whether the bound on the answer is the caller's, or can't be sent; it isn't lowered.
    """

    prompt: int
    completion: int | None
    fixed: bool


@dataclass(slots=True)
class Ask:
    """One call, as budgets know it.

    Attributes:
        size: Returns what it may cost without the options that the model refuses.
        usage: What the vendor counted of the last answer; None: nothing yet.
        max_tokens: The bound on the answer that is reserved, and must be sent; None: any.
    """

    size: Callable[[AbstractSet[Refusable]], Size]
    usage: Usage | None = None
    max_tokens: int | None = None


class Charge(Protocol):
    """What one call costs, over all its tries."""

    async def reserve(self, refused: AbstractSet[Refusable]) -> None:
        """Reserve what the next transmission may cost, unless that is done.

        Raises:
            BudgetExceeded: A hard limit has no room for it.
            DatabaseUnavailable: Nobody can tell whether it has.
        """

    def sends(self) -> None:
        """Note that the transmission begins."""

    def failed(self, *, may_have_cost: bool) -> None:
        """Note that it failed, and whether the provider may charge for it."""

    def answered(self) -> None:
        """Note that it was answered."""

    def close(self) -> None:
        """Note that the call is over; a transmission that is under way may be charged."""


class Budgets(Protocol):
    """Knows which limits a call counts against."""

    def charge(self, reference: ModelReference, purpose: Purpose, ask: Ask) -> Charge | None:
        """Return what keeps a call's account; None: no limit applies to it."""


class Unlimited:
    """No limits at all."""

    def charge(self, _reference: ModelReference, _purpose: Purpose, _ask: Ask) -> None:
        """Return nothing: nobody counts."""


def size_of(
    reference: ModelReference,
    messages: Iterable[Mapping[str, Any]],
    options: Mapping[str, Any],
    refused: AbstractSet[Refusable],
    *,
    by_caller: bool,
) -> Size:
    """Return the most that a transmission may cost.

    Args:
        reference: Who is called.
        messages: The conversation.
        options: What is asked for, the connection's standing options included.
        refused: What the model is known to refuse: it isn't sent.
        by_caller: Whether the caller said how long the answer may be.
    """
    window = known_window(reference)
    prompt = _prompt(messages, options)
    if window is not None and window.source != "assumed":
        prompt = min(prompt, window.tokens)
    most = most_output_tokens(reference)
    if refused >= BOUNDS:
        return Size(prompt, most, fixed=True)
    asked = options.get("max_tokens") or min(most or UNASKED_ANSWER, UNASKED_ANSWER)
    return Size(prompt, asked, fixed=by_caller)


def _prompt(messages: Iterable[Mapping[str, Any]], options: Mapping[str, Any]) -> int:
    attached: list[int] = []
    tools, form = options.get("tools"), options.get("response_format")
    text = json.dumps([[_text(m, attached) for m in messages], tools, form], default=str)
    return len(text) + sum(attached) + _TEMPLATE + (_TOOLS if tools else 0)


def _text(message: Mapping[str, Any], attached: list[int]) -> Mapping[str, Any]:
    """Return a message without its attachments, whose costs are noted."""
    content = message.get("content")
    if not isinstance(content, list):
        return message
    parts = []
    for part in content:
        kind = part.get("type") if isinstance(part, Mapping) else "text"
        if kind == "text":
            parts.append(part)
        else:  # a file's pages may hold as many tokens as it has bytes
            attached.append(_ATTACHMENT + (len(str(part)) if kind == "file" else 0))
    return {**message, "content": parts}
