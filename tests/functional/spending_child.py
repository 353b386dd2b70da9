"""A process that only asks its model: as often as it is told to, several calls at once."""

import asyncio
import json
import sys
from collections import Counter

from beeai_framework.backend.message import UserMessage

from aurorasoc import get_chat_model, open_runtime
from aurorasoc.errors import AuroraError


async def main(count: int, at_once: int, longest: int) -> None:
    """Wait for a line, ask, and tell how the calls ended, by code."""
    ended: Counter[str] = Counter()
    async with open_runtime() as runtime:
        await runtime.pool.load()
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        await asyncio.to_thread(sys.stdin.readline)
        left = iter(range(count))

        async def ask() -> None:
            for _ in left:
                try:
                    await get_chat_model().run([UserMessage("Benign?")], max_tokens=longest)
                except AuroraError as error:
                    ended[error.code] += 1
                else:
                    ended["ok"] += 1

        await asyncio.gather(*(ask() for _ in range(at_once)))
    sys.stdout.write(json.dumps(ended) + "\n")


asyncio.run(main(*map(int, sys.argv[1:])))
