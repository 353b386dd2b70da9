"""An agent's process that streams from its model, again and again, whatever that answers.

Its first argument is its name, which it sends; the second says how many seconds it listens, after a
first piece, before it hangs up and asks anew, so that a signal finds it anywhere in a call.
"""

import asyncio
import sys
from contextlib import suppress

from beeai_framework.backend.message import UserMessage

from aurorasoc import get_chat_model, open_runtime
from aurorasoc.errors import AuroraError

PAUSE_SECONDS = 0.02


def hang_up_in(seconds: float, listening: asyncio.Timeout) -> None:
    """Let the call end some seconds after its first piece."""
    if listening.when() is None:
        listening.reschedule(asyncio.get_running_loop().time() + seconds)


async def main(name: str, seconds: float) -> None:
    """Stream until somebody ends the process."""
    async with open_runtime():
        model = get_chat_model()
        while True:
            with suppress(AuroraError, TimeoutError):
                async with asyncio.timeout(None) as listening:
                    await model.run([UserMessage(name)], stream=True).on(
                        "new_token", lambda *_: hang_up_in(seconds, listening)
                    )
            await asyncio.sleep(PAUSE_SECONDS)


asyncio.run(main(sys.argv[1], float(sys.argv[2])))
