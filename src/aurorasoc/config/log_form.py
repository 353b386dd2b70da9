"""How log lines are written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class LogForm:
    """The form of log lines.

    Attributes:
        short: Short lines for a person; otherwise JSON, one object a line.
        colour: Whether short lines may be coloured where they go to a terminal.
    """

    short: bool
    colour: bool


JSON_LINES: Final = LogForm(short=False, colour=False)
