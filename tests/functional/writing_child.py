"""A process that only changes the configuration: as often as it is told to, as fast as it can."""

import asyncio
import json
import sys

from aurorasoc import open_runtime
from aurorasoc.config.vocabulary import ServingBackend
from aurorasoc.llm.changes.requests import ConfigRequest


async def main(name: str, count: int) -> None:
    """Wait for a line, write, and tell which revision set which model."""
    acknowledged: dict[int, str] = {}
    async with open_runtime() as runtime:
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        await asyncio.to_thread(sys.stdin.readline)
        for number in range(count):
            requested = ConfigRequest(provider=ServingBackend.OLLAMA, model=f"{name}-{number}")
            answer = await runtime.admin.switch(requested, actor=name)
            acknowledged[answer.revision] = f"{name}-{number}"
    sys.stdout.write(json.dumps(acknowledged) + "\n")


asyncio.run(main(sys.argv[1], int(sys.argv[2])))
