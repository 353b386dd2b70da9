"""An agent's process that calls its model again and again, and tells what each call began with.

A line of its log is an adoption, as the service logs it, or a call: the revision that was in force
when it began, and the model that answered it.
"""

import asyncio
import json
import sys

from beeai_framework.backend.message import UserMessage

from aurorasoc import get_chat_model, open_runtime
from aurorasoc.core.logs import configure_logging
from aurorasoc.errors import AuroraError


def tell(**fields: object) -> None:
    """Write one line."""
    sys.stdout.write(json.dumps(fields) + "\n")
    sys.stdout.flush()


async def main(pause: float) -> None:
    """Call until somebody ends the process."""
    configure_logging()
    async with open_runtime() as runtime:
        model = get_chat_model()
        while True:
            began = runtime.adoption.snapshot.revision
            try:
                said = (await model.run([UserMessage("ping")])).get_text_content()
                tell(event="call", began=began, model=said.partition(" ")[0])
            except AuroraError as error:
                tell(event="failed call", began=began, code=error.code)
            await asyncio.sleep(pause)


asyncio.run(main(float(sys.argv[1])))
