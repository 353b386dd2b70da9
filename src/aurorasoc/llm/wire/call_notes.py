"""What a handle and the wire tell each other of one call."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from aurorasoc.config.vocabulary import ConnectionName
from aurorasoc.granite import ModelReference


class Member(Protocol):
    """A model that may answer in place of another."""

    @property
    def model(self) -> Any:  # noqa: ANN401 - a `SentByUs`, whose import costs seconds
        """Its ChatModel."""

    @property
    def reference(self) -> ModelReference:
        """Which model it is."""


@dataclass(slots=True)
class CallNotes:
    """What a handle and the wire tell each other of one call.

    Attributes:
        checked: Whether a stream is held back until its answer is whole.
        declined: Whether a model declined in the run that this is a part of: no other vendor is
            asked from then on, whatever fails.
        answered_by: Who answered in place of the model that was called; None: nobody did.
        asks_shorter: Who would have, had the prompt been shorter.
        sent: How many requests were sent to each connection.
        first_piece_at: When the first piece of the latest stream came, in the loop's seconds.
    """

    checked: bool = False
    declined: bool = False
    answered_by: Member | None = None
    asks_shorter: Member | None = None
    sent: Counter[ConnectionName] = field(default_factory=Counter)
    first_piece_at: float | None = None

    @property
    def goes_on_with(self) -> Member | None:
        """Who is asked next in the same run; None: whoever was asked in this call."""
        return self.answered_by or self.asks_shorter


notes: Final[ContextVar[CallNotes | None]] = ContextVar("notes_of_call", default=None)
"""Of the call under way."""


def note_sent(connection: ConnectionName) -> None:
    """Note that a request is sent."""
    if (call := notes.get()) is not None:
        call.sent[connection] += 1
        call.first_piece_at = None


def note_first_piece() -> None:
    """Note that a stream brought its first piece."""
    if (call := notes.get()) is not None:
        call.first_piece_at = asyncio.get_running_loop().time()
