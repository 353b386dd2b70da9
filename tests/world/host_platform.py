"""A host platform in a process of its own: a bare app that only includes our routers.

It has `debug=True`, none of our exception handlers, and a log file that takes every line of
every library. `python -m uvicorn --factory tests.world.host_platform:create_host` runs it.
"""

import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from fastapi import FastAPI

from aurorasoc.api.app import include_routers
from aurorasoc.llm.wire.libraries import adapter

LIBRARIES: Final = (
    "",
    "LiteLLM",
    "LiteLLM Proxy",
    "LiteLLM Router",
    "aiosqlite",
    "asyncio",
    "beeai_framework",
    "httpcore",
    "httpx",
    "openai",
    "sqlalchemy",
)


def create_host() -> FastAPI:
    """Return the host's app; `HOST_LOG` names its log, `HOST_SHOUTS` turns libraries up again."""
    logging.basicConfig(filename=os.environ["HOST_LOG"], level=logging.DEBUG, force=True)
    _turn_up()

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        if os.environ.get("HOST_SHOUTS"):
            await adapter.load()
            _turn_up()
        yield

    app = FastAPI(debug=True, lifespan=lifespan)
    include_routers(app)
    return app


def _turn_up() -> None:
    for name in LIBRARIES:
        logging.getLogger(name).setLevel(logging.DEBUG)
