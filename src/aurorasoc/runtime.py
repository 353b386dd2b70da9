"""One runtime per process: settings, database, store, feed, adoption, pool.

The API's lifespan and agent processes both use it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aurorasoc.config.settings import Settings, load_settings
from aurorasoc.core.audit.denials import Denials
from aurorasoc.core.audit.log import AuditLog, AuditSink, GuardedSink
from aurorasoc.core.boot_secrets import learn_secrets, warn_of_shared_seed
from aurorasoc.core.database.engine import Database
from aurorasoc.core.database.usable import require_usable
from aurorasoc.core.keyring import Keyring
from aurorasoc.core.logs import get_logger
from aurorasoc.core.open_store import open_secret_store
from aurorasoc.core.process import SLOT
from aurorasoc.core.tasks import end
from aurorasoc.core.telemetry.switch import switch_off, switch_on
from aurorasoc.errors import (
    Conflict,
    DatabaseUnavailable,
    RuntimeAlreadyOpen,
    RuntimeNotOpen,
)
from aurorasoc.llm.admin import Admin
from aurorasoc.llm.adoption.adopt import Adoption
from aurorasoc.llm.adoption.compose import check_boot_defaults
from aurorasoc.llm.budgets.guard import BudgetGuard
from aurorasoc.llm.changes.apply import Changer
from aurorasoc.llm.changes.journal import Journal
from aurorasoc.llm.clients import ClientAdmin
from aurorasoc.llm.fleet.feed import Feed
from aurorasoc.llm.fleet.hindrances import Hindrances
from aurorasoc.llm.fleet.key_reports import key_last_sent
from aurorasoc.llm.fleet.membership import Instance, Kind, Membership, this_process
from aurorasoc.llm.fleet.registry import Fleet, FleetAdoption
from aurorasoc.llm.fleet.sources import source_of
from aurorasoc.llm.models.call_metrics import CallMetrics
from aurorasoc.llm.models.health import open_in
from aurorasoc.llm.models.keep_resolved import keep_resolved, resolve_once
from aurorasoc.llm.models.pool import ModelPool
from aurorasoc.llm.models.traffic import TrafficLedger
from aurorasoc.llm.mutations import MutationAnswer
from aurorasoc.llm.opening import (
    audit_host_stops,
    close_pool,
    count_usage,
    guard_budgets,
    measure_calls,
    note_uses,
    share_lessons,
    watch_stop,
    with_vault,
)
from aurorasoc.llm.usage.book import UsageBook

if TYPE_CHECKING:
    from aurorasoc.core.telemetry.exporting import Exporting

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
    feed: Feed
    fleet: Fleet
    instance: str | None
    hindrances: Hindrances
    call_metrics: CallMetrics
    usage: UsageBook
    clients: ClientAdmin

    async def with_adoption(self, changed: MutationAnswer, wait: float | None) -> MutationAnswer:
        """Return a change's answer with who has adopted it, and what becomes of the old key.

        Args:
            changed: The answer.
            wait: Seconds to wait until all live processes have adopted; None: nobody asks.
        """
        if wait is None:
            return changed.adopted_by(None)
        adoption = await self.fleet.adoption_of(changed.revision, wait, self.instance)
        if changed.old_key is None:
            return changed.adopted_by(adoption)
        try:
            last_sent_us = await key_last_sent(self.database, changed.old_key_tags)
        except DatabaseUnavailable:  # neither is known without the registry
            return changed.adopted_by(FleetAdoption(adopted=False, pending=[]))
        return changed.adopted_by(adoption, last_sent_us)


def current_runtime() -> Runtime:
    """Return the open runtime.

    Raises:
        RuntimeNotOpen: No runtime is open.
    """
    runtime: Runtime | None = SLOT.runtime
    if runtime is None:
        raise RuntimeNotOpen
    return runtime


@asynccontextmanager
async def open_runtime(
    settings: Settings | None = None,
    *,
    audit: AuditSink | None = None,
    wait_for_keys: bool = True,
    kind: Kind | None = "library",
    name: str | None = None,
) -> AsyncIterator[Runtime]:
    """Open this process's runtime, which follows every change of the configuration.

    A second call with equal settings shares the first runtime; the last user to leave closes it.

    Args:
        settings: What to run with; None reads the environment and `secrets.env`.
        audit: Where audit entries go; None means our own log.
        wait_for_keys: Whether to fetch keys from Vault and resolve `auto` before this returns;
            that takes a few seconds at most. The API doesn't wait, so it is ready sooner.
        kind: This process's kind in the fleet; None keeps it out, for short commands.
        name: Its name there; None means the program's name.

    Raises:
        ConfigurationError: The environment is wrong, the database isn't migrated, or its role
            lacks rights.
        DatabaseUnavailable: `kind` is None, and the database can't be reached.
        RuntimeAlreadyOpen: Another runtime with other settings is open.
    """
    settings = settings or load_settings()
    member = None if kind is None else this_process(kind, name)
    async with SLOT.lock:
        runtime = await _share(settings, audit, member, wait_for_keys=wait_for_keys)
        SLOT.users += 1
    try:
        yield runtime
    finally:
        async with SLOT.lock:
            SLOT.users -= 1
            if SLOT.users == 0:
                resources, SLOT.runtime = SLOT.resources, None
                await resources.aclose()


async def _share(
    settings: Settings,
    audit: AuditSink | None,
    member: Instance | None,
    *,
    wait_for_keys: bool,
) -> Runtime:
    """Return the open runtime, or open one. The caller holds the slot's lock."""
    runtime: Runtime | None = SLOT.runtime
    if runtime is None:
        resources = AsyncExitStack()
        try:
            runtime = await _open(settings, audit, member, resources, wait_for_keys=wait_for_keys)
        except BaseException:
            await resources.aclose()
            raise
        SLOT.runtime, SLOT.resources = runtime, resources
        return runtime
    same_log = audit is None or audit is getattr(runtime.audit, "sink", None)
    if runtime.settings == settings and same_log:
        return runtime
    detail = (
        "This process has a runtime with other settings, or another audit log, open. Close it "
        "first: one process runs one configuration."
    )
    raise RuntimeAlreadyOpen(detail)


async def _open(
    settings: Settings,
    audit: AuditSink | None,
    member: Instance | None,
    resources: AsyncExitStack,
    *,
    wait_for_keys: bool,
) -> Runtime:
    check_boot_defaults(settings)
    learn_secrets(settings)
    warn_of_shared_seed(settings)
    exporting = _exporting(settings, resources)
    keyring = Keyring(settings.security.seeds)
    store = open_secret_store(settings, keyring)
    resources.callback(store.close)
    database = Database(settings.database_url)
    resources.push_async_callback(database.close)
    await require_usable(database, reachable=member is None)
    audit = AuditLog(keyring) if audit is None else GuardedSink(audit)
    adoption = Adoption(settings, database, store, keyring)
    await watch_stop(settings, adoption, resources)
    try:
        await adoption.adopt(fetch=wait_for_keys)
    except (DatabaseUnavailable, Conflict) as error:  # a change, or the database's return, mends it
        log.warning("not adopted", code=error.code, detail=error.detail)
    ledger = TrafficLedger()
    adoption.on_adopted(lambda: ledger.keep(adoption.snapshot.connections))
    guard = guard_budgets(adoption, database, resources)
    pool = _pool(settings, adoption, ledger, guard, exporting)
    audit_host_stops(settings, database, audit, adoption, resources)
    usage = count_usage(settings, database, pool, resources)
    share_lessons(database, pool, resources)
    resources.push_async_callback(close_pool, pool)
    feed = Feed(source_of(settings.database_url, settings.database.feed_url), adoption.follow)
    resources.push_async_callback(feed.close)
    feed.start()
    fleet = Fleet(database, adoption, keyring, open_in)
    hindrances = Hindrances(adoption, pool.sites.address_policy)
    resources.push_async_callback(fleet.close)
    if member is not None:
        membership = Membership(
            member,
            database,
            adoption,
            keyring,
            lambda: feed.hears_by,
            health=ledger.health,
            hindrances=hindrances.report,
        )
        hindrances.on_change = membership.report
        ledger.on_health = membership.report
        resources.push_async_callback(membership.close)
        feed.on_turned(membership.report)
        membership.start()
        resources.push_async_callback(hindrances.close)
        hindrances.start()
    if wait_for_keys:
        await resolve_once(adoption, pool)
    resolving = asyncio.create_task(keep_resolved(adoption, pool), name="aurorasoc-resolver")
    resources.push_async_callback(end, resolving)
    journal = Journal(audit, on_revision=adoption.will_write)
    changer = Changer(database, adoption, store, journal, begin=guard.begin)
    if not store.transactional:
        changer = with_vault(changer, settings.vault.poll_interval, resources)
    admin = Admin(settings, database, adoption, changer, audit, pool, ledger, guard)
    instance = None if member is None else member.instance
    return Runtime(
        settings,
        database,
        keyring,
        adoption,
        pool,
        admin,
        audit,
        Denials(database, audit),
        feed,
        fleet,
        instance,
        hindrances,
        measure_calls(pool, adoption),
        usage,
        ClientAdmin(adoption, changer, note_uses(database, adoption, resources)),
    )


def _exporting(settings: Settings, resources: AsyncExitStack) -> Exporting | None:
    """Begin to export traces and metrics, if the environment names a collector."""
    exporting = switch_on(settings.telemetry)
    if exporting is not None:
        resources.push_async_callback(switch_off, exporting)
    return exporting


def _export_calls(pool: ModelPool, exporting: Exporting | None) -> None:
    """Make spans and metrics of this process's calls, if they are exported."""
    if exporting is None:
        return
    from aurorasoc.llm.models.call_telemetry import CallTelemetry  # noqa: PLC0415 - costs time, if it is on

    pool.records.follow(CallTelemetry(exporting.tracer, exporting.meter).note)


def _pool(
    settings: Settings,
    adoption: Adoption,
    ledger: TrafficLedger,
    guard: BudgetGuard,
    exporting: Exporting | None,
) -> ModelPool:
    """Return the pool of live models, which ends what an adoption refuses."""
    pool = ModelPool(
        adoption,
        settings.llm.local_networks,
        settings.server.allowed_hosts,
        ledger,
        settings.llm.max_concurrency,
        budgets=guard,
    )
    adoption.on_adopted(pool.end_refused)
    _export_calls(pool, exporting)
    return pool
