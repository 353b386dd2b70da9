"""How long a token is valid.

https://developer.hashicorp.com/vault/docs/concepts/lease
"""

from __future__ import annotations

import random
import time
from dataclasses import dataclass
from typing import Final

from aurorasoc.core.vault.answers import Answer, field

LEFT_AT_RENEWAL: Final = (0.25, 0.4)
"""Share of the lifetime left at renewal; randomised so that processes don't renew together."""

SLACK_SECONDS: Final = 1.0
"""Vault counts in whole seconds."""


@dataclass(frozen=True, slots=True)
class Lease:
    """A token's lifetime; a token without a lease never expires.

    Attributes:
        ends_at: Expiry in seconds of `time.monotonic`.
        renew_at: When to renew, on the same clock: after about two thirds of the lifetime.
        renewable: Whether Vault may extend it.
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
        """Read the remaining lifetime of a static token."""
        left, whole = (field(answer, int, "data", name) for name in ("ttl", "creation_ttl"))
        if left == 0:
            return None  # a token that never expires, such as root, has no `renewable`
        return cls._of(left, whole, renewable=field(answer, bool, "data", "renewable"))

    @classmethod
    def _of(cls, left: int, whole: int, *, renewable: bool) -> Lease | None:
        if left == 0:
            return None
        ends_at = time.monotonic() + left
        share = random.uniform(*LEFT_AT_RENEWAL)  # noqa: S311 - jitter
        return cls(ends_at, ends_at - share * (whole or left), renewable)

    def outlasts(self, other: Lease) -> bool:
        """Return whether it ends later than the other one."""
        return self.ends_at > other.ends_at + SLACK_SECONDS
