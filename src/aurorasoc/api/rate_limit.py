"""How often one principal may test: a test costs money at a vendor."""

from __future__ import annotations

import math
import time
from functools import cache
from typing import TYPE_CHECKING, Final

from aurorasoc.api.deps import UserManager
from aurorasoc.errors import RateLimited

if TYPE_CHECKING:
    from limits import RateLimitItem
    from limits.aio.strategies import MovingWindowRateLimiter

TESTS_PER_MINUTE: Final = 20


async def limit_tests(caller: UserManager) -> None:
    """Let a principal test twenty times in any minute, in each process.

    Raises:
        RateLimited: That is used up; the answer says when to come back.
    """
    limiter, limit = _limiter()
    if await limiter.hit(limit, "test", caller.subject):
        return
    window = await limiter.get_window_stats(limit, "test", caller.subject)
    wait = max(1, math.ceil(window.reset_time - time.time()))
    detail = f"{TESTS_PER_MINUTE} tests a minute are enough. Try again in {wait} s."
    raise RateLimited(detail, retry_after=wait)


@cache
def _limiter() -> tuple[MovingWindowRateLimiter, RateLimitItem]:
    """Give this process's one count of tests, made with the first test."""
    from limits import RateLimitItemPerMinute  # noqa: PLC0415 - 15 ms that being ready need not cost
    from limits.aio.storage import MemoryStorage  # noqa: PLC0415 - with it
    from limits.aio.strategies import MovingWindowRateLimiter  # noqa: PLC0415 - with it

    return MovingWindowRateLimiter(MemoryStorage()), RateLimitItemPerMinute(TESTS_PER_MINUTE)
