"""A process that does all it can do on its own, and tells whom it tried to reach."""

import asyncio
import importlib
import pkgutil
import sys
from typing import Any

REACHED: set[str] = set()


def _listen(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "socket.connect" and isinstance(arguments[1], tuple):
        REACHED.add(str(arguments[1][0]))
    if event == "socket.getaddrinfo":
        REACHED.add(str(arguments[0]))


def _import_all() -> None:
    """Import every module of the service; some need extras that may be absent."""
    package = importlib.import_module("aurorasoc")
    for module in pkgutil.walk_packages(package.__path__, "aurorasoc."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)


async def main() -> None:
    """Open the runtime, warm up, answer, and stay idle for longer than the slow poll's period."""
    from aurorasoc import get_chat_model, open_runtime  # noqa: PLC0415 - the hook comes first
    from aurorasoc.llm.fleet import feed  # noqa: PLC0415 - the same
    from aurorasoc.llm.models.warm_up import warm_up  # noqa: PLC0415 - the same

    feed.POLL_SECONDS = 0.2  # type: ignore[misc]
    _import_all()
    async with open_runtime():
        await warm_up()
        from beeai_framework.backend.message import UserMessage  # noqa: PLC0415 - now imported

        output = await get_chat_model().run([UserMessage("ping")], stream=True)
        sys.stdout.write(f"answer: {output.get_text_content()}\n")
        await asyncio.sleep(1)
    elsewhere = sorted(REACHED - {"127.0.0.1", "localhost"})
    sys.stdout.write(f"elsewhere: {elsewhere}\n")


sys.addaudithook(_listen)
asyncio.run(main())
