"""What keeps this process from calling the connections in use.

The rest of the fleet may call them: another environment, another seed or another version is
enough. So each process looks for itself, names it in its log, and reports it with its row.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Annotated, Final
from urllib.parse import urlsplit

from pydantic import Field, TypeAdapter, ValidationError

from aurorasoc.config.snapshot import Snapshot
from aurorasoc.config.vocabulary import ConnectionName
from aurorasoc.core.canonical import canonical
from aurorasoc.core.logs import get_logger
from aurorasoc.core.printable import one_line
from aurorasoc.core.tasks import end
from aurorasoc.errors import BackendUnavailable
from aurorasoc.granite.address_policy import AddressPolicy, resolve
from aurorasoc.granite.backend_resolution import active_connection
from aurorasoc.llm.adoption.adopt import Adoption

LOOK_SECONDS: Final = 60.0
"""How often names are resolved anew; a host may move to an address that isn't allowed."""

MOST: Final = 8
"""Hindrances that a process reports."""

LONGEST: Final = 500
"""Characters of a sentence that are reported."""

AddressPolicyOf = Callable[[Snapshot, ConnectionName], AddressPolicy | None]

log = get_logger("aurorasoc.fleet")


@dataclass(frozen=True, slots=True)
class Hindrance:
    """Why a process can't call a connection, or can't run what is stored.

    Attributes:
        connection: Whose calls fail; None: the stored configuration can't be adopted.
        code: A problem's code, `address_not_allowed` or `not_adopted`.
        detail: What to do, in the process's own environment.
    """

    connection: Annotated[str | None, Field(max_length=32)]
    code: Annotated[str, Field(max_length=64, examples=["address_not_allowed"])]
    detail: Annotated[str, Field(max_length=LONGEST)]


_REPORT: Final = TypeAdapter(Annotated[list[Hindrance], Field(max_length=MOST)])


class Hindrances:
    """Looks for hindrances after each adoption, and again every minute.

    Args:
        adoption: What this process runs.
        address_policy: Returns which addresses a connection may reach from here; None: all.

    Attributes:
        now: What was found last.
        on_change: Called when that changes.
    """

    def __init__(self, adoption: Adoption, address_policy: AddressPolicyOf) -> None:
        self._adoption = adoption
        self._address_policy = address_policy
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.now: tuple[Hindrance, ...] = ()
        self.on_change: Callable[[], object] = lambda: None

    def start(self) -> None:
        """Look now, and after each adoption from then on."""
        self._adoption.on_adopted(self._wake.set)
        self._adoption.on_refused = self._wake.set
        self._task = asyncio.create_task(self._run(), name="aurorasoc-hindrances")

    async def close(self) -> None:
        """End the task."""
        await end(self._task)

    def of(self, connection: ConnectionName) -> Hindrance | None:
        """Return what keeps calls from a connection; None if nothing is known to."""
        return next((one for one in self.now if one.connection == connection), None)

    def report(self) -> str | None:
        """Return this process's report as JSON; None if nothing hinders it."""
        return canonical([asdict(one) for one in self.now]) if self.now else None

    async def look(self) -> None:
        """Find what hinders this process now, and log what is new or gone."""
        before, self.now = self.now, await self._present()
        for one in self.now:
            if one not in before:
                log.warning("can't call", **asdict(one))
        for one in before:
            if one not in self.now:
                log.info("no longer hindered", connection=one.connection, code=one.code)
        if before != self.now:
            self.on_change()

    async def _run(self) -> None:
        while True:
            self._wake.clear()
            await self.look()
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._wake.wait()

    async def _present(self) -> tuple[Hindrance, ...]:
        result = []
        refusal = self._adoption.refusal
        if refusal is not None:
            result.append(_hindrance(None, "not_adopted", refusal.detail))
        if self._adoption.ready:
            snapshot = self._adoption.snapshot
            for name in connections_in_use(snapshot):
                result += await self._of(snapshot, name)
        return tuple(result[:MOST])

    async def _of(self, snapshot: Snapshot, name: ConnectionName) -> list[Hindrance]:
        problems = snapshot.connections[name].problems
        result = [_hindrance(name, problem.code, problem.detail) for problem in problems]
        why = await why_not_allowed(snapshot, name, self._address_policy)
        if why is not None:
            result.append(_hindrance(name, "address_not_allowed", f"In this process, {why}."))
        return result


def connections_in_use(snapshot: Snapshot) -> list[ConnectionName]:
    """Return the connections that calls go to.

    These are the active one, those assigned, fallbacks, and the local one that policy names.
    """
    assignments, policy = snapshot.assignments, snapshot.policy
    used = {*assignments.connections, *assignments.fallbacks, *policy.fallbacks.value}
    used.add(policy.local_backend.value)
    with suppress(BackendUnavailable):  # `auto` has found none
        used.add(active_connection(snapshot))
    return sorted(used & snapshot.connections.keys())


async def why_not_allowed(
    snapshot: Snapshot, name: ConnectionName, address_policy: AddressPolicyOf
) -> str | None:
    """Return why this process may not reach a connection's host; None if it may."""
    policy = address_policy(snapshot, name)
    parts = urlsplit(snapshot.connections[name].origin or "")
    if policy is None or parts.hostname is None:
        return None
    return policy.refusal(parts.hostname, await resolve(parts.hostname, parts.port or 0))


def hindrances_in(report: str | None) -> tuple[Hindrance, ...]:
    """Read a process's report; nothing from one that no process of ours wrote."""
    try:
        reported = _REPORT.validate_json(report or "[]")
    except ValidationError:
        return ()
    return tuple(_hindrance(one.connection, one.code, one.detail) for one in reported)


def in_words(hindrances: Iterable[Hindrance]) -> str:
    """Return all sentences."""
    return " ".join(one.detail for one in hindrances)


def _hindrance(connection: str | None, code: str, detail: str) -> Hindrance:
    name = None if connection is None else one_line(connection)
    return Hindrance(name, one_line(code), one_line(detail)[:LONGEST])
