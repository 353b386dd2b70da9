"""The pool of live handles: `get_chat_model()`.

Handles live as long as the process. The models behind them are built once for each snapshot, and
discarded when the next one is adopted.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from aurorasoc.config.snapshot import Snapshot
from aurorasoc.config.vocabulary import AUTO, ConnectionName, Role, Tlp
from aurorasoc.core.access.acting import Acting
from aurorasoc.core.process import SLOT
from aurorasoc.errors import (
    BackendUnavailable,
    NoModelConfigured,
    ProviderNotReady,
    RuntimeNotOpen,
    Unauthenticated,
)
from aurorasoc.granite import ModelReference
from aurorasoc.granite.backend_resolution import Probe, model_reference, refresh_resolution
from aurorasoc.granite.sensitivity import Networks, Route, resolve_for, route
from aurorasoc.granite.succession import successors
from aurorasoc.llm.models.binding import Binding
from aurorasoc.llm.models.handles import Handles, parse_tlp
from aurorasoc.llm.models.local_probe import local_probe, probe_headers
from aurorasoc.llm.models.pins import Pin, became_restricted, require_key
from aurorasoc.llm.models.sites import CallSites
from aurorasoc.llm.models.successors import Successors
from aurorasoc.llm.models.traffic import TrafficLedger
from aurorasoc.llm.wire.asker import Asker
from aurorasoc.llm.wire.call_record import CallRecords, Purpose
from aurorasoc.llm.wire.calls import CallSite
from aurorasoc.llm.wire.charges import Budgets, Unlimited
from aurorasoc.llm.wire.under_way import close_idle
from aurorasoc.llm.wire.waits import Waits

if TYPE_CHECKING:
    from aurorasoc.llm.models.handle import LiveChatModel

_ModelKey = tuple[ConnectionName, str | None, Asker, bool]


class SnapshotSource(Protocol):
    """Holds the snapshot in force."""

    @property
    def snapshot(self) -> Snapshot:
        """The snapshot in force."""


def get_chat_model(
    role: Role = "specialist", *, tlp: str | None = None, agent: str | None = None
) -> LiveChatModel:
    """Return the live handle for a role, or for an agent.

    Args:
        role: `specialist` or `orchestrator`.
        agent: The agent's name: its assignment, if it has one, counts before its role's. A name
            that nobody has assigned is no error.
        tlp: TLP 2.0 label of the data that will be sent, CLEAR to RED; None means unlabelled.

    Returns:
        A BeeAI ChatModel that follows every switch. Keep it as long as you like.

    Raises:
        RuntimeNotOpen: No `open_runtime()` is open in this process.
        InvalidInput: There is no such role or label, or no agent can be called so.
    """
    runtime = SLOT.runtime
    if runtime is None:
        raise RuntimeNotOpen
    handle: LiveChatModel = runtime.pool.handles[role, tlp, agent]
    return handle


def reset_chat_model_pool() -> None:
    """Discard the built models; handles stay valid and rebuild on use."""
    if SLOT.runtime is not None:
        SLOT.runtime.pool.reset()


class ModelPool:
    """Builds models from the snapshot in force and hands out live handles on them.

    Args:
        source: Holds the snapshot in force.
        networks: `LLM_LOCAL_NETWORKS`.
        allowed_hosts: `AURORA_ALLOWED_HOSTS`.
        ledger: Records how calls end, and keeps the breakers that they pass.
        max_concurrency: Calls under way at once; None means no limit.
        budgets: Knows which limits calls count against.

    Attributes:
        sites: What surrounds the calls of each model.
        records: Tells whoever counts calls of each that ended.
    """

    def __init__(  # noqa: PLR0913 - what calls are judged, bounded and counted by
        self,
        source: SnapshotSource,
        networks: Networks,
        allowed_hosts: tuple[str, ...],
        ledger: TrafficLedger,
        max_concurrency: int | None = None,
        *,
        budgets: Budgets | None = None,
    ) -> None:
        self.handles: Handles = Handles(self._new_handle)
        self._source = source
        self._waits = Waits(max_concurrency, self._require_admitted)
        budgets = Unlimited() if budgets is None else budgets
        self.sites = CallSites(
            self._snapshot, networks, allowed_hosts, ledger, self._waits, budgets=budgets
        )
        self.records = CallRecords()
        self._generation = _Generation(None)
        self._open = True

    async def load(self) -> None:
        """Import the model libraries in a thread, unless they are already imported."""
        from aurorasoc.llm.wire.libraries import adapter  # noqa: PLC0415 - its libraries cost seconds

        await adapter.load()

    async def prepare(
        self, tlp: str | None = None, role: Role = "specialist", agent: str | None = None
    ) -> None:
        """Import the libraries, and find a local backend if the label or `auto` needs one.

        Optional: it keeps the first call from blocking the event loop.

        Args:
            tlp: The label of what will be sent.
            role: The role that will ask.
            agent: The agent that will ask, if one does.
        """
        await self.load()
        await self.resolve(self._snapshot(), parse_tlp(tlp), role, agent)

    async def resolve(
        self,
        snapshot: Snapshot,
        tlp: Tlp | None = None,
        role: Role = "specialist",
        agent: str | None = None,
    ) -> None:
        """Look for a local backend where a label or `auto` needs it, once a minute at most."""
        await resolve_for(snapshot, self._probe(snapshot), tlp, role, agent)

    async def resolve_active(self, snapshot: Snapshot) -> None:
        """Look for a local backend if `auto` is in force, whoever is assigned elsewhere."""
        if snapshot.requested.value == AUTO:
            await refresh_resolution(snapshot, self._probe(snapshot))

    def _probe(self, snapshot: Snapshot) -> Probe:
        stop = self.sites.stop
        probe = local_probe(
            lambda backend: stop.confines() or self.sites.address_policy(snapshot, backend.value),
            lambda backend: probe_headers(snapshot.connections[backend]),
        )
        return stop.judged(probe, self._waits)

    def reset(self) -> None:
        """Discard the built models."""
        self._generation = _Generation(None)

    def end_refused(self) -> None:
        """End the calls that the snapshot in force refuses: those that wait, and those under way.

        Call after each adoption.
        """
        self._waits.end_refused()
        if self._open and self._source.snapshot.stop is not None:
            close_idle()

    def close(self) -> None:
        """Make every handle refuse with `RuntimeNotOpen`."""
        self._open = False
        self.reset()

    def current(self, role: Role, tlp: Tlp | None, agent: str | None = None) -> Binding:
        """Bind a role, or an agent, and a label to the model in force.

        Where `auto` finds no local backend, that is the first fallback that can be called.

        Raises:
            RuntimeNotOpen: The runtime this pool belongs to was closed.
            NoModelConfigured: The backend in force has no model.
            ProviderNotReady: It can't take calls.
            BackendUnavailable: `auto` found no local backend, and no fallback can be called.
            TlpRefused: The label forbids it.
        """
        snapshot, asker = self._snapshot(), Asker(role, tlp, agent)
        try:
            way = route(snapshot, tlp, role, agent)
        except BackendUnavailable:
            for way in successors(snapshot, tlp, role, agent):
                with suppress(NoModelConfigured, ProviderNotReady):
                    return self._bind(snapshot, way, asker)
            raise
        return self._bind(snapshot, way, asker)

    def of_connection(self, name: ConnectionName, role: Role, snapshot: Snapshot) -> Binding:
        """Bind to a connection whether it is active or not: the production path for a test."""
        reference = model_reference(snapshot, name, role)
        return self._tested(self.sites.of_test(snapshot, reference), snapshot, role)

    def of_reference(
        self, reference: ModelReference, snapshot: Snapshot, role: Role = "specialist"
    ) -> Binding:
        """Bind to a reference that is not configured; its calls are not in the ledger."""
        return self._tested(self.sites.of_unconfigured(snapshot, reference), snapshot, role)

    def pin(self, binding: Binding) -> Pin:
        """Keep to a binding until its key is deleted, or the policy or a stop forbids it."""
        return Pin(binding, self._still)

    def _still(self, binding: Binding) -> Binding:
        """Return a pinned binding, restricted by now where the policy wants that."""
        snapshot = self._snapshot()
        require_key(snapshot, binding.reference)
        reference, tlp = binding.reference, binding.tlp
        if not became_restricted(snapshot, reference, tlp) or binding.restricted:
            return binding
        return self._build(snapshot, reference, binding.asker, restricted=True)

    def _require_admitted(self, who: Acting) -> None:
        """Refuse a machine client that was revoked.

        Raises:
            Unauthenticated: It was.
        """
        client = self._snapshot().clients.get(who.client or "")
        if client is None or client.problem is not None:
            detail = "The client was revoked during the call."
            raise Unauthenticated(detail, reason=f"{who.subject} was revoked during a call")

    def _snapshot(self) -> Snapshot:
        if not self._open:
            raise RuntimeNotOpen
        return self._source.snapshot

    def _bind(self, snapshot: Snapshot, way: Route, asker: Asker) -> Binding:
        generation = self._generation
        if generation.snapshot is not snapshot:
            self._generation = generation = _Generation(snapshot)
        key = (way.connection, way.model, asker, way.restricted)
        binding = generation.bindings.get(key)
        if binding is None:
            reference = model_reference(snapshot, way.connection, asker.role, way.model)
            binding = self._build(snapshot, reference, asker, restricted=way.restricted)
            generation.bindings[key] = binding
        return binding

    def _build(
        self, snapshot: Snapshot, reference: ModelReference, asker: Asker, *, restricted: bool
    ) -> Binding:
        from aurorasoc.llm.wire.libraries import adapter  # noqa: PLC0415 - its libraries cost seconds

        site = self.sites.of(snapshot, reference, asker.tlp, restricted=restricted)
        purpose = Purpose(asker, snapshot.revision, self.records)
        model = adapter.build(replace(site, succession=self._successors(asker), purpose=purpose))
        role, tlp, agent = asker.role, asker.tlp, asker.agent
        return Binding(model, reference, snapshot.revision, role, tlp, restricted, agent)

    def _tested(self, site: CallSite, snapshot: Snapshot, role: Role) -> Binding:
        from aurorasoc.llm.wire.libraries import adapter  # noqa: PLC0415 - its libraries cost seconds

        purpose = Purpose(Asker(role, None), snapshot.revision, self.records)
        model = adapter.build(replace(site, purpose=purpose))
        return Binding(model, site.reference, snapshot.revision, role, None, restricted=False)

    def _successors(self, asker: Asker) -> Successors:
        return Successors(
            asker, self._snapshot, self._bind, self._resolve_local, self.sites.learned
        )

    async def _resolve_local(self, snapshot: Snapshot) -> None:
        if snapshot.policy.local_backend.value == AUTO:
            await refresh_resolution(snapshot, self._probe(snapshot))

    def _new_handle(self, role: Role, tlp: Tlp | None, agent: str | None) -> LiveChatModel:
        from aurorasoc.llm.models.handle import LiveChatModel  # noqa: PLC0415 - BeeAI costs two seconds

        return LiveChatModel(lambda: self.current(role, tlp, agent), self.pin)


class _Generation:
    """The models that were built for one snapshot."""

    def __init__(self, snapshot: Snapshot | None) -> None:
        self.snapshot = snapshot
        self.bindings: dict[_ModelKey, Binding] = {}
