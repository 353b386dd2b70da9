"""How a background task ends."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any


async def end(task: asyncio.Task[Any] | None) -> None:
    """Cancel a task, and wait until it is over; None: it was never begun."""
    if task is None:
        return
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
