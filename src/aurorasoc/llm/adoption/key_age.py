"""Warn of stored keys that have been in use for too long."""

from __future__ import annotations

from typing import Final

from aurorasoc.config.snapshot import ConnectionConfig, Problem
from aurorasoc.core.clock import iso

_DAY_SECONDS: Final = 86_400


def age_warning(config: ConnectionConfig, max_age: float | None, now_us: int) -> Problem | None:
    """Return a warning if a provider's key is older than it may be; it is still used.

    Nothing is known of the age of a key from the environment.

    Args:
        config: The provider's configuration.
        max_age: `LLM_KEY_MAX_AGE` in seconds; None never warns.
        now_us: The present moment, in microseconds since the epoch.
    """
    set_us = config.credential.set_us
    if max_age is None or set_us is None:
        return None
    age = (now_us - set_us) / 1e6
    if age <= max_age:
        return None
    detail = (
        f"The key of {config.provider} was stored at {iso(set_us)}, {_in_words(age)} ago; "
        f"LLM_KEY_MAX_AGE allows {_in_words(max_age)}. Create a new key at the vendor, store it, "
        "then revoke the old one."
    )
    return Problem("key_old", detail)


def _in_words(seconds: float) -> str:
    if seconds < _DAY_SECONDS:
        return f"{seconds:.0f} s"
    days = int(seconds // _DAY_SECONDS)
    return f"{days} day{'' if days == 1 else 's'}"
