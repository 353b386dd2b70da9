"""Who stands in for a model that failed, by the configuration in force (docs/decisions/047)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from dataclasses import dataclass

from aurorasoc.config.snapshot import Snapshot
from aurorasoc.config.vocabulary import ConnectionName
from aurorasoc.errors import AuroraError, ContextTooLong
from aurorasoc.granite import ModelReference
from aurorasoc.granite.catalog import CATALOG
from aurorasoc.granite.sensitivity import Route, local_instead, route
from aurorasoc.granite.succession import fallbacks_of, successors
from aurorasoc.llm.models.binding import Binding
from aurorasoc.llm.models.facts import facts_of
from aurorasoc.llm.wire.asker import Asker
from aurorasoc.llm.wire.asking.learned import Learned, Place
from aurorasoc.llm.wire.continuity import Failed, Skipped
from aurorasoc.llm.wire.failures.remedies import remedy_for
from aurorasoc.llm.wire.libraries import litellm_table


@dataclass(frozen=True)
class Successors:
    """Whoever may answer for one asker. Nobody is built before they are needed.

    Attributes:
        asker: Role, agent and label of the call.
        snapshot: Returns the configuration in force.
        bind: Binds the asker to a connection, as every call is bound.
        resolve_local: Looks for the local backend, where the policy names none.
        learned: What is known of models by asking them.
    """

    asker: Asker
    snapshot: Callable[[], Snapshot]
    bind: Callable[[Snapshot, Route, Asker], Binding]
    resolve_local: Callable[[Snapshot], Awaitable[None]]
    learned: Learned

    @property
    def stands_by(self) -> bool:
        """Whether there may be anybody: that decides what a stream holds back."""
        snapshot = self.snapshot()
        return self._falls_back(snapshot) or snapshot.policy.on_refusal.value == "local"

    async def after(
        self,
        last: Failed,
        too_small: Sequence[Failed],
        tried: AbstractSet[ConnectionName],
    ) -> Binding | Skipped | None:
        """Return who is asked after a failure; None: nobody can mend it.

        Where the prompt was too long for a model, only those with a larger window are asked from
        then on, whatever fails in between.
        """
        remedy = remedy_for(last.failure)
        snapshot = self.snapshot()
        if remedy is None:
            return None
        if remedy == "local":
            local = await self._local(snapshot, last.reference, tried)
            fits = local is not None and await self._fits(local, too_small)
            return local if fits else None
        for way in self._ways(snapshot):
            if way.connection in tried:
                continue
            candidate = self._bound(snapshot, way)
            if await self._fits(candidate, too_small):
                return candidate
        return None

    def _ways(self, snapshot: Snapshot) -> Iterator[Route]:
        """Yield the fallbacks; before them, who is chosen now: a pinned run may be elsewhere."""
        asker = self.asker
        if not self._falls_back(snapshot):
            return
        with suppress(AuroraError):
            yield route(snapshot, asker.tlp, asker.role, asker.agent)
        yield from successors(snapshot, asker.tlp, asker.role, asker.agent)

    def _falls_back(self, snapshot: Snapshot) -> bool:
        return bool(fallbacks_of(snapshot, self.asker.role, self.asker.agent))

    async def _local(
        self, snapshot: Snapshot, failed: ModelReference, tried: AbstractSet[ConnectionName]
    ) -> Binding | Skipped | None:
        """Return the local backend for what a hosted model declined, if the policy wants that."""
        is_hosted = not CATALOG[failed.provider].may_be_local
        if not is_hosted or snapshot.policy.on_refusal.value != "local":
            return None
        try:
            await self.resolve_local(snapshot)
            way = local_instead(snapshot, failed.connection, self.asker.tlp)
        except AuroraError as error:
            return self._nobody_local(snapshot, error, tried)
        return None if way.connection in tried else self._bound(snapshot, way)

    def _nobody_local(
        self, snapshot: Snapshot, error: AuroraError, tried: AbstractSet[ConnectionName]
    ) -> Skipped | None:
        name = snapshot.policy.local_backend.value
        return None if name in tried else Skipped(name, None, error.code)

    def _bound(self, snapshot: Snapshot, way: Route) -> Binding | Skipped:
        try:
            return self.bind(snapshot, way, self.asker)
        except AuroraError as error:
            config = snapshot.connections[way.connection]
            model = way.model or config.model_of(self.asker.role)
            return Skipped(way.connection, model, error.code)

    async def _fits(self, candidate: Binding | Skipped, too_small: Sequence[Failed]) -> bool:
        """Whether a model is known to hold more than each whose window was too small."""
        if not too_small:
            return True
        if isinstance(candidate, Skipped):
            return False
        await litellm_table.load()
        window = self._window(candidate.reference)
        limits = [self._limit(one) for one in too_small]
        return window is not None and all(limit is not None and window > limit for limit in limits)

    def _limit(self, failed: Failed) -> int | None:
        """Return the window that was too small, in tokens; None: unknown."""
        failure = failed.failure
        said = failure.context_window if isinstance(failure, ContextTooLong) else None
        return said or self._window(failed.reference)

    def _window(self, reference: ModelReference) -> int | None:
        known = self.learned.of(Place.of(reference))
        return facts_of(reference, known.capabilities).context_window
