"""`aurorasoc serve` and `aurorasoc migrate`."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from aurorasoc.cli.dev.parent import end_with_parent
from aurorasoc.cli.output import say
from aurorasoc.config.settings import Settings, load_settings
from aurorasoc.core.collector import collector_off
from aurorasoc.core.logs import configure_logging
from aurorasoc.errors import ConfigurationError, RuntimeNotOpen

if TYPE_CHECKING:
    from fastapi import FastAPI

DRAIN_SECONDS: Final = 8
"""How long a stop waits for running requests: an open stream would block it for ever."""


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on (AURORA_HOST).")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on (AURORA_PORT).")] = None,
    parent: Annotated[int | None, typer.Option(hidden=True)] = None,
) -> None:
    """Run the API. Reads only the environment, and refuses a database that can't be used."""
    settings = load_settings(secrets_file=False)
    configure_logging(settings.server.log_form)
    if parent is not None:
        end_with_parent(parent)
    with collector_off():
        asyncio.run(_check(settings))
        import uvicorn  # noqa: PLC0415 - needed only if nothing is refused

        import aurorasoc.api.app  # noqa: F401, PLC0415 - uvicorn would, with the collector on
        from aurorasoc.cli.listening import run  # noqa: PLC0415 - with it
        from aurorasoc.core.inbound.connections import BoundedConnection  # noqa: PLC0415 - with it

    config = uvicorn.Config(
        "aurorasoc.cli.serve:app",
        factory=True,
        host=host or settings.server.host,
        port=settings.server.port if port is None else port,
        workers=settings.server.workers,
        http=BoundedConnection,  # over httptools, where it is installed
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        loop="auto",  # uvloop and httptools, where they are installed
        timeout_graceful_shutdown=DRAIN_SECONDS,
    )
    run(config)


def app() -> FastAPI:
    """Create the app in a worker process, which sets up its own logging."""
    from aurorasoc.api.app import create_app  # noqa: PLC0415 - beside its use

    settings = load_settings(secrets_file=False)
    configure_logging(settings.server.log_form)
    _dismiss_on_stop()
    return create_app(settings)


def _dismiss_on_stop() -> None:
    """On a signal, end open streams first, then call the server's own handler.

    The server sets its handlers before it calls the app's factory, and waits for open streams
    before it tells the app to stop.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _dismissing(signal.getsignal(number)))


def _dismissing(server_handler: Any) -> Callable[[int, FrameType | None], None]:  # noqa: ANN401 - as the standard library types it
    from aurorasoc.runtime import current_runtime  # noqa: PLC0415 - costs 137 ms

    def stop(number: int, frame: FrameType | None) -> None:
        with suppress(RuntimeNotOpen):
            current_runtime().fleet.dismiss()
        if callable(server_handler):
            server_handler(number, frame)

    return stop


def migrate() -> None:
    """Bring the database to the newest migration."""
    from aurorasoc.core.database.migrations import migrate as run  # noqa: PLC0415 - beside its use

    run(load_settings().database_url)
    say("The database is at the newest migration.")


async def _check(settings: Settings) -> None:
    """Check the configuration before any worker starts."""
    from aurorasoc.core.database.engine import Database  # noqa: PLC0415 - 137 ms
    from aurorasoc.core.database.usable import require_usable  # noqa: PLC0415 - with it
    from aurorasoc.core.keyring import Keyring  # noqa: PLC0415 - with it
    from aurorasoc.core.open_store import open_secret_store  # noqa: PLC0415 - with it
    from aurorasoc.llm.adoption.compose import check_boot_defaults  # noqa: PLC0415 - with it

    if settings.security.jwt_secret_key is None:
        detail = "JWT_SECRET_KEY is not set; expected: at least 32 random characters."
        raise ConfigurationError(detail)
    check_boot_defaults(settings)
    open_secret_store(settings, Keyring(()))
    database = Database(settings.database_url)
    try:
        await require_usable(database)
    finally:
        await database.close()
