"""One runtime a process: settings, database, store, feed, adoption, pool.

Used by the API's lifespan and by agent processes alike.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass

from aurorasoc.config.settings import Settings, load_settings
from aurorasoc.core.audit import AuditLog, AuditSink
from aurorasoc.core.database import SCHEMA_HEAD, Database
from aurorasoc.core.denials import Denials
from aurorasoc.core.keyring import Keyring
from aurorasoc.core.logs import get_logger
from aurorasoc.core.redaction import REDACTOR
from aurorasoc.core.secret_store import open_secret_store
from aurorasoc.errors import (
    ConfigurationError,
    DatabaseUnavailable,
    RuntimeAlreadyOpen,
    RuntimeNotOpen,
)
from aurorasoc.llm.admin import Admin
from aurorasoc.llm.adoption import Adoption
from aurorasoc.llm.changer import Changer
from aurorasoc.llm.compose import check_boot_defaults
from aurorasoc.llm.feed import Feed
from aurorasoc.llm.pool import ModelPool, open_pool
from aurorasoc.llm.traffic import TrafficLedger

log = get_logger("aurorasoc.runtime")


@dataclass(frozen=True, slots=True)
class Runtime:
    """What is open in this process."""

    settings: Settings
    database: Database
    keyring: Keyring
    adoption: Adoption
    pool: ModelPool
    admin: Admin
    audit: AuditSink
    denials: Denials


@dataclass
class _Slot:
    """The process's one runtime, and how many have opened it."""

    runtime: Runtime | None = None
    users: int = 0
    resources: AsyncExitStack | None = None


_slot = _Slot()


def current_runtime() -> Runtime:
    """Give the open runtime.

    Raises:
        RuntimeNotOpen: None is open.
    """
    if _slot.runtime is None:
        raise RuntimeNotOpen
    return _slot.runtime


@asynccontextmanager
async def open_runtime(
    settings: Settings | None = None, *, audit: AuditSink | None = None
) -> AsyncIterator[Runtime]:
    """Open the runtime of this process: same settings, same store, follows every change.

    A second opening with equal settings shares the first; the last to leave closes it.

    Args:
        settings: What to run with; None reads the environment and `secrets.env`.
        audit: Where audit entries go; None is our own log.

    Raises:
        ConfigurationError: The environment is wrong, or the database isn't migrated.
        RuntimeAlreadyOpen: Another runtime with other settings is open.
    """
    settings = settings or load_settings()
    if _slot.runtime is None:
        resources = AsyncExitStack()
        try:
            _slot.runtime = await _open(settings, audit, resources)
        except BaseException:
            await resources.aclose()
            raise
        _slot.resources = resources
    elif _slot.runtime.settings != settings:
        detail = (
            "This process has a runtime with other settings open. Close it first: one process "
            "runs one configuration."
        )
        raise RuntimeAlreadyOpen(detail)
    _slot.users += 1
    try:
        yield _slot.runtime
    finally:
        _slot.users -= 1
        if _slot.users == 0 and _slot.resources is not None:
            await _slot.resources.aclose()
            _slot.runtime = _slot.resources = None


async def _open(settings: Settings, audit: AuditSink | None, resources: AsyncExitStack) -> Runtime:
    check_boot_defaults(settings)
    _learn_secrets(settings)
    keyring = Keyring(settings.security.seeds)
    store = open_secret_store(settings, keyring)
    database = Database(settings.database_url)
    resources.push_async_callback(database.close)
    await require_migrated(database)
    audit = audit or AuditLog(keyring)
    adoption = Adoption(settings, database, store, keyring)
    with suppress(DatabaseUnavailable):
        await adoption.adopt()
    ledger = TrafficLedger()
    pool = ModelPool(
        adoption,
        settings.llm.local_networks,
        settings.server.allowed_hosts,
        ledger,
        settings.llm.max_concurrency,
    )
    resources.push_async_callback(_close_pool, pool)
    open_pool(pool)
    feed = Feed(settings.database_url, adoption.follow)
    resources.push_async_callback(feed.close)
    feed.start()
    changer = Changer(database, adoption, store, audit)
    admin = Admin(settings, database, adoption, changer, audit, pool, ledger)
    denials = Denials(database, audit)
    return Runtime(settings, database, keyring, adoption, pool, admin, audit, denials)


async def require_migrated(database: Database) -> None:
    """Refuse a database at another migration; one that doesn't answer may come back.

    Raises:
        ConfigurationError: It answers, and isn't at the newest migration.
    """
    try:
        found = await database.schema_revision()
    except DatabaseUnavailable:
        log.warning("the database doesn't answer yet")
        return
    if found != SCHEMA_HEAD:
        detail = (
            f"The database is at migration {found or 'none'} and this version needs "
            f"{SCHEMA_HEAD}. Run `aurorasoc migrate`."
        )
        raise ConfigurationError(detail)


async def _close_pool(pool: ModelPool) -> None:
    from aurorasoc.llm import adapter  # noqa: PLC0415 - closing must not import what wasn't used

    pool.close()
    open_pool(None)
    await adapter.close()


def _learn_secrets(settings: Settings) -> None:
    """Teach the log redaction what must never be seen."""
    seeds = settings.security.seeds
    keys = [own.api_key for own in settings.providers.values() if own.api_key is not None]
    REDACTOR.learn(secret.get_secret_value() for secret in (*seeds, *keys))
