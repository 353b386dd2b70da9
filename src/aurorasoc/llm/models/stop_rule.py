"""What a stop of hosted traffic makes of calls: before each transmission, and under way.

A hosted provider's end. One that may be local goes on as long as it is shown to be: what is sent
from then on is judged and confined to the local networks, and a call under way by the address that
its connection leads to.
"""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

from aurorasoc.config.settings.ambient import proxies
from aurorasoc.config.snapshot import Snapshot
from aurorasoc.config.vocabulary import ServingBackend
from aurorasoc.errors import HostedStopped
from aurorasoc.granite import ModelReference
from aurorasoc.granite.address_policy import AddressPolicy
from aurorasoc.granite.backend_resolution import Probe
from aurorasoc.granite.catalog import CATALOG
from aurorasoc.granite.hosted_stop import refusal, require_not_stopped
from aurorasoc.granite.sensitivity import Networks, require_local
from aurorasoc.llm.wire.calls import JudgeAddress
from aurorasoc.llm.wire.under_way import JudgeUnderWay, UnderWay
from aurorasoc.llm.wire.waits import Waits


class StopRule:
    """Judges by the snapshot in force.

    Args:
        snapshot: Returns it.
        networks: `LLM_LOCAL_NETWORKS`.
    """

    def __init__(self, snapshot: Callable[[], Snapshot], networks: Networks) -> None:
        self._snapshot = snapshot
        self._networks = networks
        self._local = AddressPolicy(only=tuple(networks))

    def require_allowed(self, reference: ModelReference) -> None:
        """Refuse a hosted provider while hosted traffic is stopped.

        Raises:
            HostedStopped: It is.
        """
        require_not_stopped(self._snapshot(), reference.provider)

    def confines(self) -> AddressPolicy | None:
        """Return where alone anything may be sent now; None: there is no stop."""
        return None if self._snapshot().stop is None else self._local

    def judge_address(self, reference: ModelReference) -> JudgeAddress | None:
        """Return what judges a transmission that needs no proof while nothing is stopped."""
        if not CATALOG[reference.provider].may_be_local:
            return None

        async def judge() -> None:
            if self._snapshot().stop is not None:
                await require_local(reference.provider, reference.origin, self._networks, proxies())

        return judge

    def judge_under_way(self, reference: ModelReference) -> JudgeUnderWay:
        """Return what judges a call under way that nobody has shown to be local."""
        may_be_local = CATALOG[reference.provider].may_be_local
        host = urlsplit(reference.origin).hostname or ""

        def judge(call: UnderWay) -> None:
            snapshot = self._snapshot()
            stop = snapshot.stop
            if stop is None or (may_be_local and self._stays(host, call)):
                return
            raise refusal(snapshot, stop)

        return judge

    def judged(self, probe: Probe, waits: Waits) -> Probe:
        """Return a probe that a stop ends, and that looks again as the stop lets it."""

        async def status_at(backend: ServingBackend, url: str) -> int:
            if self.confines() is None:
                try:
                    async with waits.asking(self._judge_probe):
                        return await probe(backend, url)
                except HostedStopped:
                    pass
            return await probe(backend, url)

        return status_at

    def _judge_probe(self, _question: UnderWay) -> None:
        snapshot = self._snapshot()
        if snapshot.stop is not None:
            raise refusal(snapshot, snapshot.stop)

    def _stays(self, host: str, call: UnderWay) -> bool:
        """Whether a call's connection leads into the local networks, or it has none yet."""
        from aurorasoc.llm.wire.sending.kept_connections import peer_of  # noqa: PLC0415 - httpcore costs 40 ms

        if not call.is_working and call.confined.connection is None:
            return True  # what it sends next is judged
        peer = peer_of(call.confined.connection)
        return peer is not None and self._local.refusal(host, [peer]) is None
