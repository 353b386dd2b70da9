"""What surrounds the calls of each model: who judges them, and where they may connect to."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

from aurorasoc.config.settings.ambient import proxies
from aurorasoc.config.snapshot import Snapshot
from aurorasoc.config.vocabulary import ConnectionName, Tlp
from aurorasoc.granite import ModelReference
from aurorasoc.granite.address_policy import AddressPolicy
from aurorasoc.granite.allowed_addresses import address_policy_of
from aurorasoc.granite.sensitivity import Networks, require_local
from aurorasoc.llm.models.pins import became_restricted, require_key, require_unrestricted
from aurorasoc.llm.models.stop_rule import StopRule
from aurorasoc.llm.models.traffic import TrafficLedger
from aurorasoc.llm.wire.asking.learned import Learned
from aurorasoc.llm.wire.calls import CallSite, JudgeAddress
from aurorasoc.llm.wire.charges import Budgets
from aurorasoc.llm.wire.failures.translate import translate
from aurorasoc.llm.wire.hosted_bytes import HOSTED_BYTES
from aurorasoc.llm.wire.under_way import may_go_on
from aurorasoc.llm.wire.waits import Judge, Waits


class CallSites:
    """Makes call sites, which judge by the snapshot in force.

    Args:
        snapshot: Returns it.
        networks: `LLM_LOCAL_NETWORKS`.
        allowed_hosts: `AURORA_ALLOWED_HOSTS`.
        ledger: Records how calls end, and keeps the breakers that they pass.
        waits: Bounds the calls under way, and knows them.
        budgets: Knows which limits calls count against.

    Attributes:
        stop: What a stop of hosted traffic makes of calls.
        learned: What is known of models by asking them.
    """

    def __init__(  # noqa: PLR0913 - what calls are judged, bounded and counted by
        self,
        snapshot: Callable[[], Snapshot],
        networks: Networks,
        allowed_hosts: tuple[str, ...],
        ledger: TrafficLedger,
        waits: Waits,
        *,
        budgets: Budgets,
    ) -> None:
        self.stop = StopRule(snapshot, networks)
        self.learned = Learned()
        self._snapshot = snapshot
        self._networks = tuple(networks)
        self._allowed_hosts = allowed_hosts
        self._ledger = ledger
        self._waits = waits
        self._budgets = budgets

    def of(
        self, snapshot: Snapshot, reference: ModelReference, tlp: Tlp | None, *, restricted: bool
    ) -> CallSite:
        """Surround the calls of a model that may get a label.

        Args:
            snapshot: The configuration that the reference comes from.
            reference: The model.
            tlp: The label; None means unlabelled.
            restricted: Whether each call must first prove that it stays local.
        """
        judge = self._judge(reference, tlp, restricted=restricted)
        site = replace(self._site(snapshot, reference, self._ledger), judge=judge)
        if not restricted:
            return site
        return replace(
            site,
            judge_address=self._judge_address(reference),
            judge_under_way=may_go_on,
            address_policy=AddressPolicy(only=self._networks),
        )

    def of_test(self, snapshot: Snapshot, reference: ModelReference) -> CallSite:
        """Surround an admin's test: it is made even while the connection's breaker is open."""

        def judge() -> None:
            require_key(self._snapshot(), reference)
            self.stop.require_allowed(reference)

        site = self._site(snapshot, reference, self._ledger)
        return replace(site, judge=judge, asks_again=False, is_test=True)

    def of_unconfigured(self, snapshot: Snapshot, reference: ModelReference) -> CallSite:
        """Surround the calls of what is not configured; no ledger knows of them."""

        def judge() -> None:
            self.stop.require_allowed(reference)

        site = self._site(snapshot, reference, TrafficLedger())
        return replace(site, judge=judge, asks_again=False)

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
        self.stop.require_allowed(reference)
        site = self._site(snapshot, reference, self._ledger)
        if site.judge_address is not None:
            await site.judge_address()
        async with self._waits.asking(site.judge_under_way):
            with HOSTED_BYTES.exchanging(reference):
                yield site.reach

    def address_policy(self, snapshot: Snapshot, name: ConnectionName) -> AddressPolicy | None:
        """Return which addresses an admin's base URL may reach; None trusts the environment's."""
        config = snapshot.connections[name]
        if config.base_url.source != "runtime":
            return None
        return address_policy_of(config.provider, config.origin or "", self._allowed_hosts)

    def _site(
        self, snapshot: Snapshot, reference: ModelReference, ledger: TrafficLedger
    ) -> CallSite:
        return CallSite(
            reference,
            translate,
            ledger,
            self._waits,
            judge_address=self.stop.judge_address(reference),
            judge_under_way=self.stop.judge_under_way(reference),
            breaker=ledger.breakers.of(reference),
            address_policy=self.address_policy(snapshot, reference.connection),
            confine=self.stop.confines,
            learned=self.learned,
            budgets=self._budgets,
        )

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
