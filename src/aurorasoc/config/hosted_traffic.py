"""Whether anything may be sent to hosted providers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

HostedState = Literal["allowed", "stopped"]

MAX_REASON: Final = 500
"""Characters of a reason."""


@dataclass(frozen=True, slots=True)
class HostedTraffic:
    """Whether traffic to hosted providers is stopped, and who said so.

    Attributes:
        since: When it was said, ISO 8601 UTC; None: nobody has said anything yet.
        by: Who said it.
        reason: Why, in that person's words.
    """

    state: HostedState = "allowed"
    since: str | None = None
    by: str | None = None
    reason: str | None = None

    @property
    def is_stopped(self) -> bool:
        """Whether it is stopped."""
        return self.state == "stopped"


ALLOWED: Final = HostedTraffic()
