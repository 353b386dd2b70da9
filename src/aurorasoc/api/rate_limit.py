"""How often one principal may test: a test costs money at a vendor."""

from __future__ import annotations

import math
import time
from typing import Final

from limits import RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import MovingWindowRateLimiter

from aurorasoc.api.deps import UserManager
from aurorasoc.errors import RateLimited

TESTS_PER_MINUTE: Final = 20

_LIMIT = RateLimitItemPerMinute(TESTS_PER_MINUTE)
_limiter = MovingWindowRateLimiter(MemoryStorage())


async def limit_tests(caller: UserManager) -> None:
    """Let a principal test twenty times in any minute, in each process.

    Raises:
        RateLimited: That is used up; the answer says when to come back.
    """
    if await _limiter.hit(_LIMIT, "test", caller.subject):
        return
    window = await _limiter.get_window_stats(_LIMIT, "test", caller.subject)
    wait = max(1, math.ceil(window.reset_time - time.time()))
    detail = f"{TESTS_PER_MINUTE} tests a minute are enough. Try again in {wait} s."
    raise RateLimited(detail, retry_after=wait)
