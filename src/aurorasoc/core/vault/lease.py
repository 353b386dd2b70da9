"""How long a token holds.

https://developer.hashicorp.com/vault/docs/concepts/lease
"""

from __future__ import annotations

import random
import time
from dataclasses import dataclass
from typing import Final

from aurorasoc.core.vault.answers import Answer, field

LEFT_AT_RENEWAL: Final = (0.25, 0.4)
"""Renewed when this share of it is left, a third on average; many processes not all at once."""

SLACK_SECONDS: Final = 1.0
"""Vault counts in whole seconds."""


@dataclass(frozen=True, slots=True)
class Lease:
    """A token's time; a token without a lease never ends.

    Attributes:
        ends_at: Seconds of `time.monotonic`.
        renew_at: The same, about two thirds into it.
        renewable: Whether Vault may grant more.
    """

    ends_at: float
    renew_at: float
    renewable: bool

    @classmethod
    def of_login(cls, answer: Answer) -> Lease | None:
        """Read what a login or a renewal granted."""
        seconds = field(answer, int, "auth", "lease_duration")
        return cls._of(seconds, seconds, renewable=field(answer, bool, "auth", "renewable"))

    @classmethod
    def of_lookup(cls, answer: Answer) -> Lease | None:
        """Read what is left of a token that was given to us."""
        left, whole = (field(answer, int, "data", name) for name in ("ttl", "creation_ttl"))
        if left == 0:
            return None  # Vault says nothing of renewal where nothing ends, as with a root token
        return cls._of(left, whole, renewable=field(answer, bool, "data", "renewable"))

    @classmethod
    def _of(cls, left: int, whole: int, *, renewable: bool) -> Lease | None:
        if left == 0:
            return None
        ends_at = time.monotonic() + left
        share = random.uniform(*LEFT_AT_RENEWAL)  # noqa: S311 - jitter
        return cls(ends_at, ends_at - share * (whole or left), renewable)

    def outlasts(self, other: Lease) -> bool:
        """Whether it ends later, so that something was gained."""
        return self.ends_at > other.ends_at + SLACK_SECONDS
