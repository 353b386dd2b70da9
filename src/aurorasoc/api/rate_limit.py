"""How often one principal may test: a test costs money at a vendor."""

from __future__ import annotations

import math
import time
from collections import deque
from typing import Final

from aurorasoc.api.deps import UserManager
from aurorasoc.errors import RateLimited

TESTS_PER_MINUTE: Final = 20
WINDOW_SECONDS: Final = 60.0

_tests: Final[deque[tuple[float, str]]] = deque()
"""When this process let whom test, within the last minute."""


async def limit_tests(caller: UserManager) -> None:
    """Let a principal test twenty times in any minute, in each process.

    Raises:
        RateLimited: That is used up; the answer says when to come back.
    """
    now = time.monotonic()
    while _tests and _tests[0][0] <= now - WINDOW_SECONDS:
        _tests.popleft()
    tested_at = [at for at, subject in _tests if subject == caller.subject]
    if len(tested_at) < TESTS_PER_MINUTE:
        _tests.append((now, caller.subject))
        return
    wait = math.ceil(tested_at[0] + WINDOW_SECONDS - now)
    detail = f"{TESTS_PER_MINUTE} tests a minute are enough. Try again in {wait} s."
    raise RateLimited(detail, retry_after=wait)
