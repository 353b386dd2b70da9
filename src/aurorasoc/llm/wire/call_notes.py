"""What a handle and the wire tell each other of one call."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final, Protocol

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
    """

    checked: bool = False
    declined: bool = False
    answered_by: Member | None = None
    asks_shorter: Member | None = None

    @property
    def goes_on_with(self) -> Member | None:
        """Who is asked next in the same run; None: whoever was asked in this call."""
        return self.answered_by or self.asks_shorter


notes: Final[ContextVar[CallNotes | None]] = ContextVar("notes_of_call", default=None)
"""Of the call under way."""
