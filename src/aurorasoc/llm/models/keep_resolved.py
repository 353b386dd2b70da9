"""Keep `auto` resolved in the background, so that a handle needs no probe of its own."""

from __future__ import annotations

import asyncio
from typing import Final

from aurorasoc.llm.adoption.adopt import Adoption
from aurorasoc.llm.models.pool import ModelPool

LOOK_SECONDS: Final = 5.0
"""How soon a switch to `auto` is noticed. The result itself is cached for a minute."""


async def keep_resolved(adoption: Adoption, pool: ModelPool) -> None:
    """Probe the local backends whenever `auto` is in force and the last result is too old."""
    while True:
        await resolve_once(adoption, pool)
        await asyncio.sleep(LOOK_SECONDS)


async def resolve_once(adoption: Adoption, pool: ModelPool) -> None:
    """Probe if `auto` is in force and the last probe is more than a minute old."""
    if adoption.ready:
        await pool.resolve_active(adoption.snapshot)
