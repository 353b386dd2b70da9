"""What is open once in this process: the runtime, through which models are reached, too."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any


@dataclass
class ProcessSlot:
    """The process's one runtime, and how many have opened it.

    Attributes:
        runtime: An `aurorasoc.runtime.Runtime`, which layers below it may not name.
    """

    runtime: Any = None
    users: int = 0
    resources: AsyncExitStack = field(default_factory=AsyncExitStack)
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


SLOT = ProcessSlot()
