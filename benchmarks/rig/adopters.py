"""Listeners that adopt what they hear of, as the service does."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AsyncExitStack

from aurorasoc.config.settings import load_settings
from aurorasoc.core.database.engine import Database
from aurorasoc.core.keyring import Keyring
from aurorasoc.core.open_store import open_secret_store
from aurorasoc.llm.adoption.adopt import Adoption
from aurorasoc.llm.fleet.feed import Feed
from aurorasoc.llm.fleet.sources import source_of
from aurorasoc.runtime import open_runtime

Note = Callable[[], None]


async def process(stack: AsyncExitStack, note: Note) -> None:
    """Adopt as an agent's process does, its row in the registry included."""
    runtime = await stack.enter_async_context(open_runtime())
    runtime.adoption.on_adopted(note)


async def adopter(stack: AsyncExitStack, note: Note) -> None:
    """Adopt, with connections of its own; there may be many in one process."""
    settings = load_settings()
    keyring = Keyring(settings.security.seeds)
    database = Database(settings.database_url)
    stack.push_async_callback(database.close)
    adoption = Adoption(settings, database, open_secret_store(settings, keyring), keyring)
    await adoption.adopt()
    adoption.on_adopted(note)
    feed = Feed(source_of(settings.database_url, None), adoption.follow)
    stack.push_async_callback(feed.close)
    feed.start()
