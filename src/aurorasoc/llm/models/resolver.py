"""Keeps `auto` resolved in the background, so that a handle needs no probe of its own."""

from __future__ import annotations

import asyncio
from typing import Final

from aurorasoc.granite.sensitivity import resolve_for
from aurorasoc.llm.adoption.adopt import Adoption

LOOK_SECONDS: Final = 5.0
"""How soon a switch to `auto` is noticed. What was found is kept for a minute all the same."""


async def keep_resolved(adoption: Adoption) -> None:
    """Probe the local backends whenever `auto` is in force and the last finding is too old."""
    while True:
        await resolve_once(adoption)
        await asyncio.sleep(LOOK_SECONDS)


async def resolve_once(adoption: Adoption) -> None:
    """Probe if `auto` is in force and it wasn't done within the last minute."""
    if adoption.ready:
        await resolve_for(adoption.snapshot)
