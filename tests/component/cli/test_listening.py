"""`serve` says where it listens, once it does."""

import asyncio
import json
import logging
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import pytest
import uvicorn
from fastapi import FastAPI

from aurorasoc.cli.listening import ListeningServer
from tests.world import patient

LOGGER: Final = "aurorasoc.serve"
WITHIN: Final = 20


class Said(logging.Handler):
    """Takes the address from the line that says it."""

    def __init__(self) -> None:
        """Belong to the running loop."""
        super().__init__()
        self.url: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def emit(self, record: logging.LogRecord) -> None:
        """Read the line."""
        line = json.loads(record.getMessage())
        assert line["event"] == "listening"
        self.url.set_result(line["url"])


@asynccontextmanager
async def said() -> AsyncIterator[Said]:
    """Read what the server says."""
    logger = logging.getLogger(LOGGER)
    handler, level = Said(), logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield handler
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
@pytest.mark.parametrize("handed_over", [False, True], ids=["one process", "a worker"])
async def test_the_address_that_is_said_answers(host: str, *, handed_over: bool) -> None:
    """With the real port where any was asked for; a worker is handed the socket."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        bound = socket.create_server((host, 0), family=family)
    except OSError:
        pytest.skip(f"this machine has no {host}")
    config = uvicorn.Config(FastAPI(), host=host, port=0, ws="none", log_config=None)
    async with said() as line:
        server = ListeningServer(config)
        running = asyncio.create_task(server.serve([bound] if handed_over else None))
        try:
            url = await asyncio.wait_for(line.url, WITHIN)
            async with patient.async_client() as client:
                assert (await client.get(f"{url}/openapi.json")).status_code == 200
        finally:
            server.should_exit = True
            await running
            bound.close()


async def test_a_start_that_failed_says_no_address() -> None:
    """The app's own failure is what is said."""

    @asynccontextmanager
    async def failing(app: FastAPI) -> AsyncIterator[None]:
        if app.title:
            raise RuntimeError
        yield

    config = uvicorn.Config(FastAPI(lifespan=failing), port=0, ws="none", log_config=None)
    async with said() as line:
        await ListeningServer(config).serve()
        assert not line.url.done()
