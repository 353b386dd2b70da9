"""Read the registry: which process runs which revision.

Only the database counts, so every process gives the same answer. All waiters share one loop that
reads it, and that runs only while somebody waits.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Annotated, ClassVar, Final, Literal

from pydantic import Field

from aurorasoc.config.snapshot import ConnectionConfig
from aurorasoc.config.vocabulary import ConnectionName
from aurorasoc.core.bodies import DEFERRED
from aurorasoc.core.clock import iso
from aurorasoc.core.database.engine import Database
from aurorasoc.core.database.tables import InstanceRow, RuntimeConfigRow
from aurorasoc.core.keyring import Keyring
from aurorasoc.core.tasks import end
from aurorasoc.errors import Conflict, DatabaseUnavailable
from aurorasoc.llm.adoption.adopt import Adoption
from aurorasoc.llm.adoption.rows import SINGLETON, hosted_traffic_in
from aurorasoc.llm.fleet.differences import Difference, differences, report_of_settings
from aurorasoc.llm.fleet.hindrances import Hindrance, hindrances_in
from aurorasoc.llm.fleet.live import (
    HealthReports,
    live_rows,
    reports_of_health,
    reports_of_settings,
)

State = Literal["current", "behind", "diverged"]
NotAsked = Callable[
    [str | None, Mapping[ConnectionName, ConnectionConfig]], tuple[ConnectionName, ...]
]

WATCH_SECONDS: Final = 0.1
LOOK_SECONDS: Final = 5.0
FIRST_LOOK_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class Member:
    """One live process, as it reported itself.

    Attributes:
        feed: The feed in use now: `listen`, `data_version`, or only the slow `poll`.
        adopted_at: When it adopted that; None if it couldn't adopt anything yet.
        hosted_stopped: Whether it calls no hosted provider.
        last_hosted_at: When it last exchanged a byte with one; None: never since it started.
        state: `behind` the stored revision, or without its stop of hosted traffic, as a process of
            an earlier version is; `diverged`: at the revision of the process that
            answers, with another fingerprint; else `current`.
        hindrances: What keeps it from calling the connections in use.
        not_asked: Connections that it doesn't ask for a while, because their calls failed.
        differences: Where it is `diverged`: which settings differ, as far as both name them.
    """

    instance: Annotated[str, Field(examples=["agent-9f3c2a71b0de"])]
    kind: Annotated[str, Field(examples=["api", "agent", "library"])]
    name: str
    host: str
    revision: int
    fingerprint: str
    backend: str | None
    model: str | None
    adopted_at: str | None
    feed: Annotated[str, Field(examples=["listen", "data_version", "poll"])]
    state: State
    hosted_stopped: bool
    last_hosted_at: str | None = field(compare=False)  # it moves with each call
    hindrances: tuple[Hindrance, ...] = ()
    not_asked: tuple[ConnectionName, ...] = ()
    differences: tuple[Difference, ...] = ()


@dataclass(frozen=True, slots=True)
class FleetView:
    """The stored revision, and all live processes by kind and name."""

    __pydantic_config__: ClassVar = DEFERRED

    revision: int
    instances: tuple[Member, ...]

    def states(self) -> Counter[State]:
        """Count the processes by state."""
        return Counter(member.state for member in self.instances)

    def behind(self, revision: int) -> list[str]:
        """Name the processes that haven't adopted a revision, or not the stop that is stored."""
        return [
            member.instance
            for member in self.instances
            if member.revision < revision
            or (member.state == "behind" and member.revision >= self.revision)
        ]


@dataclass(frozen=True, slots=True)
class FleetAdoption:
    """Whether all live processes have adopted a change, and which haven't.

    `adopted` false with nothing `pending`: the registry could not be read.
    """

    adopted: bool
    pending: Annotated[list[str], Field(examples=[["agent-9f3c2a71b0de"]])]


class Fleet:
    """Reads the registry.

    Args:
        database: Holds it.
        adoption: What this process runs, to compare the others with.
        keyring: The seeds it has.
        not_asked: Reads which connections a process doesn't ask in its report of calls.

    Attributes:
        watchers: How many wait for changes.
        dismissed: Whether this process is about to stop, so that waiters must return.
    """

    def __init__(
        self,
        database: Database,
        adoption: Adoption,
        keyring: Keyring,
        not_asked: NotAsked = lambda _report, _connections: (),
    ) -> None:
        self._database = database
        self._adoption = adoption
        self._keyring = keyring
        self._not_asked = not_asked
        self.watchers = 0
        self._watching: asyncio.Task[None] | None = None
        self._latest: FleetView | None = None
        self._changed = asyncio.Condition()
        self.dismissed = False

    async def look(self) -> FleetView:
        """Read the registry now.

        Raises:
            DatabaseUnavailable: It can't be read.
        """
        async with self._database.reading() as session:
            stored = await session.get(RuntimeConfigRow, SINGLETON)
            rows = await live_rows(self._database, session)
            revision = stored.revision if stored else 0
            stopped = stored is not None and hosted_traffic_in(stored).is_stopped
            states = {row.instance: self._state(row, revision, stopped=stopped) for row in rows}
            diverged = [name for name, state in states.items() if state == "diverged"]
            settings = await reports_of_settings(session, diverged)
        here = self._adoption.snapshot.connections if self._adoption.ready else {}
        members = (
            _member(row, states[row.instance], self._not_asked(row.health, here)) for row in rows
        )
        return FleetView(revision, tuple(self._compared(one, settings) for one in members))

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Keep reading the registry, so that `after()` returns what changed."""
        self.watchers += 1
        if self._watching is None or self._watching.done():
            self._latest = None  # an earlier watch's view is out of date
            self._watching = asyncio.create_task(self._watch(), name="aurorasoc-fleet")
        try:
            yield
        finally:
            self.watchers -= 1

    async def after(self, seen: FleetView | None) -> FleetView | None:
        """Wait for a view that differs from the one seen, and return it; None once dismissed."""
        async with self._changed:
            while not self.dismissed and (self._latest is None or self._latest == seen):
                await self._changed.wait()
            return None if self.dismissed else self._latest

    def dismiss(self) -> None:
        """Make all waiters return: this process is about to stop. Safe in signal handlers."""
        self.dismissed = True

    async def glance(self) -> FleetView | None:
        """Return the fleet; None if the registry can't be read at once."""
        with suppress(TimeoutError), self.watching():
            async with asyncio.timeout(FIRST_LOOK_SECONDS):
                return await self.after(None)
        return None

    async def reports_of_health(self) -> HealthReports:
        """Return what the fleet says of its calls; nothing if the registry can't be read."""
        with suppress(DatabaseUnavailable):
            async with self._database.reading() as session:
                now = await self._database.clock(session)
                return await reports_of_health(self._database, session, now)
        return HealthReports()

    async def adoption_of(self, revision: int, seconds: float, me: str | None) -> FleetAdoption:
        """Wait until all live processes have adopted a revision.

        Args:
            revision: What was committed here.
            seconds: How long to wait; 0 looks once.
            me: The instance that asks: it has adopted, even if its row isn't written yet.
        """
        pending: list[str] | None = None
        with suppress(TimeoutError), self.watching():
            async with asyncio.timeout(seconds or FIRST_LOOK_SECONDS):
                view = await self.after(None)
                while view and (pending := [one for one in view.behind(revision) if one != me]):
                    view = await self.after(view) if seconds else None
        return FleetAdoption(pending == [], pending or [])

    async def close(self) -> None:
        """End the loop."""
        await end(self._watching)

    async def _watch(self) -> None:
        while self.watchers:
            with suppress(DatabaseUnavailable, TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS):
                    self._latest = await self.look()
            async with self._changed:
                self._changed.notify_all()
            await asyncio.sleep(WATCH_SECONDS)

    def _compared(self, member: Member, settings: Mapping[str, str]) -> Member:
        """Add to a process that diverged what differs from this one."""
        if member.state != "diverged":
            return member
        seed = next(iter(self._keyring.key_ids), "")
        here = report_of_settings(self._adoption.snapshot, seed)
        return replace(member, differences=differences(here, settings.get(member.instance)))

    def _state(self, row: InstanceRow, revision: int, *, stopped: bool) -> State:
        if row.revision < revision or not row.fingerprint:
            return "behind"
        if stopped and not row.hosted_stopped:
            return "behind"
        if not self._adoption.ready or self._adoption.snapshot.revision != row.revision:
            return "current"
        same = self._adoption.snapshot.fingerprint == row.fingerprint
        return "current" if same else "diverged"


def _member(row: InstanceRow, state: State, not_asked: tuple[ConnectionName, ...]) -> Member:
    return Member(
        instance=row.instance,
        kind=row.kind,
        name=row.name,
        host=row.host,
        revision=row.revision,
        fingerprint=row.fingerprint,
        backend=row.backend,
        model=row.model,
        adopted_at=iso(row.adopted_us) if row.adopted_us else None,
        feed=row.feed,
        state=state,
        hosted_stopped=bool(row.hosted_stopped),
        last_hosted_at=iso(row.hosted_us),
        hindrances=hindrances_in(row.hindrances),
        not_asked=not_asked,
    )


async def require_seed_everywhere(database: Database, keyring: Keyring) -> None:
    """Refuse to seal under a seed that a live process doesn't have.

    Raises:
        Conflict: A live process doesn't have that seed.
        DatabaseUnavailable: The registry can't be read.
    """
    async with database.reading() as session:
        rows = await live_rows(database, session)
    sealing = set(keyring.key_ids[:1])
    lacking = [row for row in rows if not sealing <= set(row.key_ids.split(","))]
    if lacking:
        names = ", ".join(f"{row.instance} ({row.name} on {row.host})" for row in lacking)
        detail = (
            f"Live processes lack the new seed: {names}. They couldn't open what is sealed under "
            "it. Nothing was changed. Restart them with the new AURORA_SECRET_KEY and the old one "
            "in AURORA_SECRET_KEY_PREVIOUS, then rotate."
        )
        raise Conflict(detail)
