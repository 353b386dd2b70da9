"""Limit how often one principal may test: a test costs money at a vendor."""

from __future__ import annotations

import math
import time
from collections import deque
from typing import Final

from aurorasoc.api.deps import UserManager
from aurorasoc.errors import RateLimited

TESTS_PER_MINUTE: Final = 20
WINDOW_SECONDS: Final = 60.0

Tests = deque[tuple[float, str]]

_tests: Final[Tests] = deque()
"""Who tested when, within the last minute, in this process."""


async def limit_tests(caller: UserManager) -> None:
    """Let a principal test twenty times in any minute, in each process.

    Raises:
        RateLimited: The limit is reached; the answer says when to try again.
    """
    wait = note_test(_tests, caller.subject, time.monotonic())
    if wait:
        detail = f"{TESTS_PER_MINUTE} tests a minute are enough. Try again in {wait} s."
        raise RateLimited(detail, retry_after=wait)


def note_test(tests: Tests, subject: str, now: float) -> int:
    """Add a test and return 0; at the limit, return the seconds until one is allowed again."""
    while tests and tests[0][0] <= now - WINDOW_SECONDS:
        tests.popleft()
    times = [at for at, tester in tests if tester == subject]
    if len(times) >= TESTS_PER_MINUTE:
        return math.ceil(times[0] + WINDOW_SECONDS - now)
    tests.append((now, subject))
    return 0
