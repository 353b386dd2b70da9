"""Audit refusals, coalesced: one entry per minute for each principal, kind and target."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import Final

from aurorasoc.core.audit.actions import Action
from aurorasoc.core.audit.log import AuditEvent, AuditSink
from aurorasoc.core.clock import Clock, now_us
from aurorasoc.core.database.engine import Database
from aurorasoc.core.logs import get_logger
from aurorasoc.errors import AuroraError

WINDOW_US: Final = 60_000_000
MAX_TRACKED: Final = 10_000

log = get_logger("aurorasoc.denials")


@dataclass(slots=True)
class _Window:
    ends_us: int
    suppressed: int = 0


class Denials:
    """Writes the first refusal of each minute; the next entry counts those suppressed."""

    def __init__(self, database: Database, audit: AuditSink, clock: Clock = now_us) -> None:
        self._database = database
        self._audit = audit
        self._clock = clock
        self._windows: OrderedDict[tuple[str, str, str], _Window] = OrderedDict()

    async def record(self, actor: str, target: str, permission: str) -> None:
        """Record a missing permission. The request stays refused even if this fails."""
        details = {"permission": permission}
        await self._note(AuditEvent(actor, Action.ACCESS_DENIED, target, details))

    async def record_label(self, actor: str, target: str, tlp: str | None) -> None:
        """Record that a label forbade every available backend."""
        await self._note(AuditEvent(actor, Action.TLP_REFUSED, target, {"tlp": tlp}))

    async def _note(self, event: AuditEvent) -> None:
        now, key = self._clock(), (event.actor, event.action, event.target)
        window = self._windows.get(key)
        if window is not None and now < window.ends_us:
            window.suppressed += 1
            return
        suppressed = window.suppressed if window else 0
        self._windows[key] = _Window(now + WINDOW_US)
        self._windows.move_to_end(key)
        if len(self._windows) > MAX_TRACKED:
            self._windows.popitem(last=False)
        details = {**event.details, "suppressed_before": suppressed}
        try:
            async with self._database.transaction() as session:
                await self._audit.append(session, replace(event, details=details))
        except AuroraError as error:
            log.warning("a refusal could not be audited", code=error.code, target=event.target)
