"""A long-lived process of an agent author: one live handle, asked once for each line it reads."""

import asyncio
import json
import sys

from beeai_framework.backend.message import UserMessage

from aurorasoc import get_chat_model, open_runtime
from aurorasoc.errors import AuroraError


async def main() -> None:
    """Answer each line with what the model said, or the code of the error."""
    loop = asyncio.get_running_loop()
    async with open_runtime():
        model = get_chat_model()  # once: it is kept for as long as the process lives
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            try:
                said = (await model.run([UserMessage(line)])).get_text_content()
            except AuroraError as error:
                said = error.code
            sys.stdout.write(json.dumps(said) + "\n")
            sys.stdout.flush()


asyncio.run(main())
