"""The pool of live handles: `get_chat_model()`.

Handles live as long as the process. The models behind them are built once for each snapshot, and
discarded when the next one is adopted.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from aurorasoc.config.settings.ambient import proxies
from aurorasoc.config.snapshot import Snapshot
from aurorasoc.config.vocabulary import AUTO, ConnectionName, Role, Tlp
from aurorasoc.core.process import SLOT
from aurorasoc.errors import RuntimeNotOpen
from aurorasoc.granite import ModelReference
from aurorasoc.granite.address_policy import AddressPolicy
from aurorasoc.granite.allowed_addresses import address_policy_of
from aurorasoc.granite.backend_resolution import Probe, model_reference, refresh_resolution
from aurorasoc.granite.sensitivity import (
    Networks,
    Route,
    require_local,
    resolve_for,
    route,
)
from aurorasoc.llm.models.binding import Asker, Binding
from aurorasoc.llm.models.handles import Handles, parse_tlp
from aurorasoc.llm.models.local_probe import local_probe, probe_headers
from aurorasoc.llm.models.pins import (
    Pin,
    became_restricted,
    require_key,
    require_unrestricted,
)
from aurorasoc.llm.models.stop_rule import StopRule
from aurorasoc.llm.models.successors import Successors
from aurorasoc.llm.models.traffic import TrafficLedger
from aurorasoc.llm.wire.asking.learned import Learned
from aurorasoc.llm.wire.calls import CallSite, JudgeAddress
from aurorasoc.llm.wire.failures.translate import translate
from aurorasoc.llm.wire.hosted_bytes import HOSTED_BYTES
from aurorasoc.llm.wire.under_way import close_idle, may_go_on
from aurorasoc.llm.wire.waits import Judge, Waits

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

    Attributes:
        learned: What is known of models by asking them.
    """

    def __init__(
        self,
        source: SnapshotSource,
        networks: Networks,
        allowed_hosts: tuple[str, ...],
        ledger: TrafficLedger,
        max_concurrency: int | None = None,
    ) -> None:
        self.handles: Handles = Handles(self._new_handle)
        self._source = source
        self._networks = tuple(networks)
        self._allowed_hosts = allowed_hosts
        self._ledger = ledger
        self._waits = Waits(max_concurrency)
        self._stop = StopRule(self._snapshot, self._networks)
        self.learned = Learned()
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
        probe = local_probe(
            lambda backend: self._stop.confines() or self.address_policy(snapshot, backend.value),
            lambda backend: probe_headers(snapshot.connections[backend]),
        )
        return self._stop.judged(probe, self._waits)

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

        Raises:
            RuntimeNotOpen: The runtime this pool belongs to was closed.
            NoModelConfigured: The backend in force has no model.
            ProviderNotReady: It can't take calls.
            BackendUnavailable: `auto` found no local backend.
            TlpRefused: The label forbids it.
        """
        snapshot = self._snapshot()
        return self._bind(snapshot, route(snapshot, tlp, role, agent), Asker(role, tlp, agent))

    def of_connection(self, name: ConnectionName, role: Role, snapshot: Snapshot) -> Binding:
        """Bind to a connection whether it is active or not: the production path for a test.

        Its calls are made even while the connection's breaker is open.
        """
        from aurorasoc.llm.wire.libraries import adapter  # noqa: PLC0415 - its libraries cost seconds

        reference = model_reference(snapshot, name, role)

        def judge() -> None:
            require_key(self._snapshot(), reference)
            self._stop.require_allowed(reference)

        site = replace(
            self._site(snapshot, reference, self._ledger),
            judge=judge,
            asks_again=False,
            is_test=True,
        )
        model = adapter.build(site)
        return Binding(model, reference, snapshot.revision, role, None, restricted=False)

    def of_reference(
        self, reference: ModelReference, snapshot: Snapshot, role: Role = "specialist"
    ) -> Binding:
        """Bind to a reference that is not configured; its calls are not in the ledger."""
        from aurorasoc.llm.wire.libraries import adapter  # noqa: PLC0415 - its libraries cost seconds

        site = replace(
            self._site(snapshot, reference, TrafficLedger()),
            judge=lambda: self._stop.require_allowed(reference),
            asks_again=False,
        )
        model = adapter.build(site)
        return Binding(model, reference, snapshot.revision, role, None, restricted=False)

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

        site = self._site(snapshot, reference, self._ledger)
        if restricted:
            local = AddressPolicy(only=self._networks)
            site = replace(
                site,
                judge_address=self._judge_address(reference),
                judge_under_way=may_go_on,
                address_policy=local,
            )
        judge = self._judge(reference, asker.tlp, restricted=restricted)
        model = adapter.build(replace(site, judge=judge, succession=self._successors(asker)))
        role, tlp, agent = asker.role, asker.tlp, asker.agent
        return Binding(model, reference, snapshot.revision, role, tlp, restricted, agent)

    def _successors(self, asker: Asker) -> Successors:
        return Successors(asker, self._snapshot, self._bind, self._resolve_local, self.learned)

    async def _resolve_local(self, snapshot: Snapshot) -> None:
        if snapshot.policy.local_backend.value == AUTO:
            await refresh_resolution(snapshot, self._probe(snapshot))

    def _site(
        self, snapshot: Snapshot, reference: ModelReference, ledger: TrafficLedger
    ) -> CallSite:
        return CallSite(
            reference,
            translate,
            ledger,
            self._waits,
            judge_address=self._stop.judge_address(reference),
            judge_under_way=self._stop.judge_under_way(reference),
            breaker=ledger.breakers.of(reference),
            address_policy=self.address_policy(snapshot, reference.connection),
            confine=self._stop.confines,
            learned=self.learned,
        )

    def require_allowed(self, reference: ModelReference) -> None:
        """Refuse a hosted provider while hosted traffic is stopped.

        Raises:
            HostedStopped: It is.
        """
        self._stop.require_allowed(reference)

    @asynccontextmanager
    async def asking(
        self, reference: ModelReference, snapshot: Snapshot
    ) -> AsyncIterator[AddressPolicy | None]:
        """Ask a provider what is no model call, by the rules of one: for its list of models.

        Yields:
            Which addresses may be connected to; None: the configuration is trusted.

        Raises:
            HostedStopped: Hosted traffic is, or was meanwhile, stopped.
            TlpRefused: It is stopped, and the connection isn't shown to be local.
        """
        self._stop.require_allowed(reference)
        site = self._site(snapshot, reference, self._ledger)
        if site.judge_address is not None:
            await site.judge_address()
        async with self._waits.asking(site.judge_under_way):
            HOSTED_BYTES.note(reference)
            yield site.reach
            HOSTED_BYTES.note(reference)

    def address_policy(self, snapshot: Snapshot, name: ConnectionName) -> AddressPolicy | None:
        """Return which addresses an admin's base URL may reach; None trusts the environment's."""
        config = snapshot.connections[name]
        if config.base_url.source != "runtime":
            return None
        return address_policy_of(config.provider, config.origin or "", self._allowed_hosts)

    def _judge(self, reference: ModelReference, tlp: Tlp | None, *, restricted: bool) -> Judge:
        """Judge each transmission; a restricted one's address is judged besides."""
        require = became_restricted if restricted else require_unrestricted

        def judge() -> None:
            snapshot = self._snapshot()
            require_key(snapshot, reference)
            require(snapshot, reference, tlp)

        return judge

    def _judge_address(self, reference: ModelReference) -> JudgeAddress:
        async def judge() -> None:
            await require_local(reference.provider, reference.origin, self._networks, proxies())

        return judge

    def _new_handle(self, role: Role, tlp: Tlp | None, agent: str | None) -> LiveChatModel:
        from aurorasoc.llm.models.handle import LiveChatModel  # noqa: PLC0415 - BeeAI costs two seconds

        return LiveChatModel(lambda: self.current(role, tlp, agent), self.pin)


class _Generation:
    """The models that were built for one snapshot."""

    def __init__(self, snapshot: Snapshot | None) -> None:
        self.snapshot = snapshot
        self.bindings: dict[_ModelKey, Binding] = {}
