"""What a runtime opens beside its database, store and pool; each closes with its resources."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import cast

from aurorasoc.config.settings import Settings
from aurorasoc.core.audit.log import AuditSink
from aurorasoc.core.database.engine import Database
from aurorasoc.core.tasks import end
from aurorasoc.llm.adoption.adopt import Adoption
from aurorasoc.llm.budgets.guard import BudgetGuard
from aurorasoc.llm.changes.apply import Changer
from aurorasoc.llm.changes.host_stops import HostStops
from aurorasoc.llm.fleet.client_uses import ClientUses
from aurorasoc.llm.fleet.stop_watch import StopWatch
from aurorasoc.llm.models.call_metrics import CallMetrics
from aurorasoc.llm.models.learned_rows import LearnedRows
from aurorasoc.llm.models.pool import ModelPool
from aurorasoc.llm.usage.book import UsageBook
from aurorasoc.llm.usage.writer import UsageWriter
from aurorasoc.llm.wire import awake


def guard_budgets(adoption: Adoption, database: Database, resources: AsyncExitStack) -> BudgetGuard:
    """Return what holds the budgets, which books in the end what is still waiting."""
    guard = BudgetGuard(lambda: adoption.snapshot, database)
    resources.push_async_callback(guard.teller.close)
    return guard


def count_usage(
    settings: Settings, database: Database, pool: ModelPool, resources: AsyncExitStack
) -> UsageBook:
    """Count each call, and write the sums; return what is counted."""
    book = UsageBook()
    pool.records.follow(book.note)
    writer = UsageWriter(database, book, settings.server.usage_days)
    resources.push_async_callback(writer.close)
    writer.start()
    return book


def measure_calls(pool: ModelPool, adoption: Adoption) -> CallMetrics:
    """Return what `/metrics` shows of this process's calls."""
    metrics = CallMetrics()

    def keep() -> None:
        metrics.keep(adoption.snapshot.connections)

    adoption.on_adopted(keep)
    if adoption.ready:
        keep()
    pool.records.follow(metrics.note)
    return metrics


def share_lessons(database: Database, pool: ModelPool, resources: AsyncExitStack) -> None:
    """Share with the fleet what is learnt of models."""
    learned = LearnedRows(database, pool.sites.learned)
    resources.push_async_callback(learned.close)
    learned.start()


def note_uses(database: Database, adoption: Adoption, resources: AsyncExitStack) -> ClientUses:
    """Write when clients were last used, beside the calls."""
    uses = ClientUses(database)

    def keep() -> None:
        clients = adoption.snapshot.clients
        uses.keep({name: config.created_at for name, config in clients.items()})

    adoption.on_adopted(keep)
    resources.push_async_callback(uses.close)
    uses.start()
    return uses


async def watch_stop(settings: Settings, adoption: Adoption, resources: AsyncExitStack) -> None:
    """Put this host's stop of hosted traffic in force, and whatever was missed while frozen."""
    watch = StopWatch(settings.server.state_dir, adoption.stop_here, adoption.follow)
    resources.push_async_callback(watch.close)
    await watch.start()
    awake.follow(watch)
    resources.callback(awake.follow, None)


def audit_host_stops(
    settings: Settings,
    database: Database,
    audit: AuditSink,
    adoption: Adoption,
    resources: AsyncExitStack,
) -> None:
    """Audit this host's stops, which need no database, once it is there."""
    folder = settings.server.state_dir
    stops = HostStops(folder, database, audit, lambda: adoption.stopped_here)
    resources.push_async_callback(stops.close)
    adoption.on_stop_here(stops.said)
    stops.start()


def with_vault(changer: Changer, poll_interval: float, resources: AsyncExitStack) -> Changer:
    """Write keys to Vault through intents, and watch Vault for changes."""
    from aurorasoc.core.vault.store import VaultSecretStore  # noqa: PLC0415 - hvac costs 66 ms
    from aurorasoc.llm.changes.intents import KeyIntents  # noqa: PLC0415 - with it
    from aurorasoc.llm.keys.vault_watch import VaultWatch  # noqa: PLC0415 - with it

    vault = cast("VaultSecretStore", changer.store)
    intents = KeyIntents(changer.database, changer.adoption, vault, changer.journal)
    watch = VaultWatch(vault, intents, poll_interval)
    task = asyncio.create_task(watch.run(), name="aurorasoc-vault")
    resources.push_async_callback(end, task)
    return replace(changer, intents=intents)


async def close_pool(pool: ModelPool) -> None:
    """Close the pool, and the connections that its calls kept open."""
    from aurorasoc.llm.wire.libraries import adapter  # noqa: PLC0415 - closing must not import what wasn't used

    pool.close()
    await adapter.close()
