"""Open the runtime for one use case at the shell."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from aurorasoc.runtime import Runtime

T = TypeVar("T")


def in_runtime(work: Callable[[Runtime], Awaitable[T]]) -> T:
    """Return what `work` returns; the runtime is open while it runs, and isn't in the fleet.

    How its calls and tests ended is left for the fleet.
    """
    from aurorasoc.llm.fleet.left_behind import leave_report  # noqa: PLC0415 - SQLAlchemy
    from aurorasoc.runtime import open_runtime  # noqa: PLC0415 - SQLAlchemy costs time

    async def run() -> T:
        async with open_runtime(kind=None) as runtime:
            try:
                return await work(runtime)
            finally:
                await leave_report(runtime.database, runtime.admin.ledger.health)

    return asyncio.run(run())
