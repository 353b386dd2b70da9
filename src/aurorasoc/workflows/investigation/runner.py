"""Accept investigations, and run them in the background of one process, a few at a time.

Beyond the stored rows, it knows only which of them it runs. Any process can read all of them, and
take over those whose process is gone.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Final
from uuid import uuid4

from aurorasoc.core.audit.actions import Action
from aurorasoc.core.audit.log import AuditEvent
from aurorasoc.core.logs import get_logger
from aurorasoc.core.tasks import end
from aurorasoc.errors import AuroraError, DatabaseUnavailable, RateLimited, TlpRefused
from aurorasoc.runtime import Runtime
from aurorasoc.workflows.investigation import store
from aurorasoc.workflows.investigation.admission import require_answering
from aurorasoc.workflows.investigation.leased import LeasedInvestigation, LeaseLost

AT_ONCE: Final = 2
"""Investigations that a process runs at once; each asks up to three specialists in parallel."""

MOST_WAITING: Final = 100
"""Investigations that may wait for their turn in a process."""

_RETRY_AFTER: Final = 30
_TARGET: Final = "investigations"

log = get_logger("aurorasoc.investigation")


class InvestigationRunner:
    """The investigations of this process.

    Args:
        runtime: An open one.
    """

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._coming = 0

    async def open(self, new: store.NewInvestigation) -> str:
        """Store an investigation, start it, and return its id.

        Raises:
            RateLimited: Too many wait here already.
            TlpRefused: The label forbids every backend at hand.
            NoModelConfigured, ProviderNotReady, BackendUnavailable: There is no model to ask.
            DatabaseUnavailable, AuditUnavailable: It can't be stored or audited.
        """
        with self._place():
            await self._admit(new.tlp, new.actor)
            lease = store.Lease.on(str(uuid4()))
            async with self._runtime.database.transaction() as session:
                now = await self._runtime.database.clock(session)
                await store.insert(session, new, lease, now)
                details = {"format": new.alert.format, "tlp": new.tlp}
                event = AuditEvent(
                    new.actor, Action.INVESTIGATION_CREATED, lease.investigation, details
                )
                await self._runtime.audit.append(session, event)
            self._start(lease)
        return lease.investigation

    async def resume(self, id_: str, viewer: store.Viewer) -> None:
        """Resume an interrupted or failed investigation after its last finished step.

        Raises:
            NotFound: It doesn't exist, or this viewer may not see it.
            Conflict: It runs, is completed, or somebody else has just resumed it.
            AuroraError: What `open` raises.
        """
        async with self._runtime.database.reading() as session:
            tlp = (await store.find(session, id_, viewer)).tlp
        with self._place():
            await self._admit(tlp, viewer.subject)
            lease = store.Lease.on(id_)
            async with self._runtime.database.transaction() as session:
                row = await store.find(session, id_, viewer)
                now = await self._runtime.database.clock(session)
                await store.take(session, row, lease, now)
                event = AuditEvent(
                    viewer.subject, Action.INVESTIGATION_RESUMED, id_, {"tlp": row.tlp}
                )
                await self._runtime.audit.append(session, event)
            self._start(lease)

    async def close(self) -> None:
        """End all runs and release their leases, so that others can take them at once."""
        tokens = list(self._tasks)
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        if tokens:
            await self._renew(tokens, release=True)

    async def keep_leases(self) -> None:
        """Renew the leases of what runs here, until cancelled."""
        while True:
            await asyncio.sleep(store.LEASE_SECONDS / 4)
            if self._tasks:
                await self._renew(list(self._tasks))

    @contextmanager
    def _place(self) -> Iterator[None]:
        """Count an investigation that is about to start, so that concurrent requests see it.

        Raises:
            RateLimited: Too many wait here already.
        """
        if len(self._tasks) + self._coming >= AT_ONCE + MOST_WAITING:
            detail = f"{MOST_WAITING} investigations wait here already. Try again later."
            raise RateLimited(detail, retry_after=_RETRY_AFTER)
        self._coming += 1
        try:
            yield
        finally:
            self._coming -= 1

    async def _admit(self, tlp: str | None, actor: str) -> None:
        """Raise what the first calls would raise, before anything is stored or sent."""
        try:
            await require_answering(self._runtime, tlp)
        except TlpRefused:
            await self._runtime.denials.record_label(actor, _TARGET, tlp)
            raise

    def _start(self, lease: store.Lease) -> None:
        task = asyncio.create_task(self._run(lease), name=f"investigation-{lease.investigation}")
        self._tasks[lease.token] = task
        task.add_done_callback(lambda _: self._tasks.pop(lease.token, None))

    async def _run(self, lease: store.Lease) -> None:
        """Run one when a slot is free. Log what ends it, other than a report."""
        from aurorasoc.workflows.investigation.run import (  # noqa: PLC0415 - a start needs no run
            investigate,
        )

        leased = LeasedInvestigation(self._runtime.database, lease)
        unexpected: list[str] = []
        try:
            async with self._slots:
                await investigate(self._runtime, leased)
        except* LeaseLost:
            log.warning("another process took an investigation", id=leased.id)
        except* DatabaseUnavailable:
            log.warning("an investigation stands still: the database doesn't answer", id=leased.id)
        except* Exception as errors:  # noqa: BLE001 - a background task: nobody else would see it
            unexpected = [type(error).__name__ for error in errors.exceptions]
        if unexpected:
            log.error("unexpected error in an investigation", id=leased.id, errors=unexpected)
            detail = "Internal error. See the service log."
            with suppress(LeaseLost, DatabaseUnavailable):
                await leased.give_up(AuroraError(detail))

    async def _renew(self, tokens: list[str], *, release: bool = False) -> None:
        database = self._runtime.database
        try:
            async with database.transaction() as session:
                until = 0 if release else store.lease_end(await database.clock(session))
                await store.renew(session, tokens, until)
        except DatabaseUnavailable:
            log.warning("leases of investigations can't be renewed: the database doesn't answer")


@asynccontextmanager
async def open_runner(runtime: Runtime) -> AsyncIterator[InvestigationRunner]:
    """Open this process's runner; leaving ends its runs and releases them."""
    runner = InvestigationRunner(runtime)
    renewing = asyncio.create_task(runner.keep_leases(), name="aurorasoc-investigation-leases")
    try:
        yield runner
    finally:
        await end(renewing)
        await runner.close()
