"""The slot for this process's one runtime."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any


@dataclass
class ProcessSlot:
    """The process's one runtime, and its number of users.

    Attributes:
        runtime: An `aurorasoc.runtime.Runtime`, which lower layers may not import.
    """

    runtime: Any = None
    users: int = 0
    resources: AsyncExitStack = field(default_factory=AsyncExitStack)
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


SLOT = ProcessSlot()
