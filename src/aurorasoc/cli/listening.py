"""Uvicorn's server, which says where it listens."""

from __future__ import annotations

from contextlib import suppress
from socket import socket
from typing import Any, Final

import typer
import uvicorn
from uvicorn.supervisors import Multiprocess

from aurorasoc.core.logs import get_logger

LOG: Final = get_logger("aurorasoc.serve")

_START_FAILED: Final = 3
"""Uvicorn's own exit code for it."""


class ListeningServer(uvicorn.Server):
    """A server that logs each address as soon as it takes requests there."""

    async def startup(self, sockets: list[socket] | None = None) -> None:
        """Start the app, listen, and say where; each worker process does."""
        await super().startup(sockets)
        for server in self.servers if self.started else ():
            for listening in server.sockets:
                LOG.info("listening", url=_url(listening.getsockname()))


def run(config: uvicorn.Config) -> None:
    """Serve until a signal, as `uvicorn.run` does.

    Raises:
        typer.Exit: The app could not start.
    """
    server = ListeningServer(config)
    if config.workers > 1:
        bound = config.bind_socket()
        Multiprocess(config, target=server.run, sockets=[bound]).run()
        return
    with suppress(KeyboardInterrupt):
        server.run()
    if not server.started:
        raise typer.Exit(_START_FAILED)


def _url(address: tuple[Any, ...]) -> str:
    host, port, *_ = address
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
