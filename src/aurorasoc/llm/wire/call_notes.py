"""What a handle and the wire tell each other of one call."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from aurorasoc.config.vocabulary import ConnectionName
from aurorasoc.errors import Attempt
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
        verbatim: Options that a request says as they are: OpenAI's names and values.
        declined: Whether a model declined in the run that this is a part of: no other vendor is
            asked from then on, whatever fails.
        answered_by: Who answered in place of the model that was called; None: nobody did.
        asks_shorter: Who would have, had the prompt been shorter.
        sent: How many requests were sent to each connection.
        first_piece_at: When the first piece of the latest stream came, in the loop's seconds.
        tried: Who failed, or was passed over, before whoever is asked now.
        asking: Who is asked now in place of the model that was called; None: that model is.
    """

    checked: bool = False
    verbatim: Mapping[str, Any] = field(default_factory=dict)
    declined: bool = False
    answered_by: Member | None = None
    asks_shorter: Member | None = None
    sent: Counter[ConnectionName] = field(default_factory=Counter)
    first_piece_at: float | None = None
    tried: tuple[Attempt, ...] = ()
    asking: Member | None = None

    @property
    def goes_on_with(self) -> Member | None:
        """Who is asked next in the same run; None: whoever was asked in this call."""
        return self.answered_by or self.asks_shorter


notes: Final[ContextVar[CallNotes | None]] = ContextVar("notes_of_call", default=None)
"""Of the call under way."""


def said_verbatim() -> Mapping[str, Any]:
    """Return the options that the call under way says as they are."""
    call = notes.get()
    return {} if call is None else call.verbatim


def note_sent(connection: ConnectionName) -> None:
    """Note that a request is sent."""
    if (call := notes.get()) is not None:
        call.sent[connection] += 1
        call.first_piece_at = None


def note_first_piece() -> None:
    """Note that a stream brought its first piece."""
    if (call := notes.get()) is not None:
        call.first_piece_at = asyncio.get_running_loop().time()
