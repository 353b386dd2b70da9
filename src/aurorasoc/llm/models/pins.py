"""A pin, and what ends it: a removed key, a tightened policy or a stop (ADR 026)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from aurorasoc.config.hosted_traffic import ALLOWED
from aurorasoc.config.snapshot import Snapshot, Sourced
from aurorasoc.config.vocabulary import Tlp
from aurorasoc.errors import ProviderNotReady, TlpRefused
from aurorasoc.granite import ModelReference
from aurorasoc.granite.hosted_stop import require_not_stopped
from aurorasoc.granite.sensitivity import passage
from aurorasoc.llm.models.binding import Binding

_POLICYS: Final[Sourced[Tlp | None]] = Sourced(None, "default")


class Pin:
    """Keeps to a model, across switches.

    It moves if another model answered in its place: a loop of tool calls goes on with the model
    that began to answer, which may not read the other's signatures.

    Args:
        binding: The model.
        still: Returns the binding to use now; raises if it may not be used any more.

    Attributes:
        binding: The model, whether it may be used or not.
        declined: Whether it moved because a model declined: no other vendor is asked then.
    """

    def __init__(self, binding: Binding, still: Callable[[Binding], Binding]) -> None:
        self.binding = binding
        self.declined = False
        self._still = still

    def __call__(self) -> Binding:
        """Return the model to call.

        Raises:
            AuroraError: Its key was deleted, or the policy forbids it.
        """
        return self._still(self.binding)

    def move(self, binding: Binding, *, declined: bool = False) -> None:
        """Keep to another model from now on."""
        self.binding, self.declined = binding, declined


def require_key(snapshot: Snapshot, reference: ModelReference) -> None:
    """Refuse a run whose connection or key was removed; a replaced key may still be used.

    A connection that leads to another provider now is another one: a connection's own can't be
    changed, so it was removed, and its name was given away.

    Raises:
        ProviderNotReady: One of them was removed while this ran.
    """
    name = reference.connection
    present = snapshot.connections.get(name)
    if present is None or present.provider != reference.provider:
        detail = f"The connection {name} was removed while this ran. Start again."
        raise ProviderNotReady(detail)
    may_finish = present.credential.lets_finish(reference.api_key, reference.key_source)
    if reference.has_key and not may_finish:
        detail = f"The key of {name} was removed while this ran. Start again."
        raise ProviderNotReady(detail)


def became_restricted(snapshot: Snapshot, reference: ModelReference, tlp: Tlp | None) -> bool:
    """Whether a tightened policy now requires the model to prove that it is local.

    What an admin allows on a connection that has moved is said of its new address. At the one
    where a run began, the policy's ceiling counts, too.

    Args:
        snapshot: What is in force now; the connection exists in it.
        reference: The model.
        tlp: The label of what it is sent.

    Raises:
        TlpRefused: The label may not go there at all now, or the run has none and needs one.
        HostedStopped: Hosted traffic is stopped.
    """
    if tlp is None and snapshot.policy.require_tlp.value:
        detail = "LLM_REQUIRE_TLP was set while this ran unlabelled. Start again, labelled."
        raise TlpRefused(detail)
    name = reference.connection
    present = snapshot.connections[name]
    ways = {passage(snapshot, present, tlp)}
    if present.origin != reference.origin:
        ways.add(passage(snapshot, replace(present, max_tlp=_POLICYS), tlp))
    if "forbidden" in ways:
        detail = (
            f"The policy was tightened while this ran on {name}: {tlp} data may "
            "no longer go there. Start again."
        )
        raise TlpRefused(detail)
    require_not_stopped(snapshot, reference.provider)
    return "local_only" in ways


def require_unrestricted(snapshot: Snapshot, reference: ModelReference, tlp: Tlp | None) -> None:
    """Refuse a call that waited, unproven to be local, while the policy was tightened.

    A stop alone refuses none that may be local: each transmission is shown to be, then.

    Raises:
        TlpRefused: Its label may no longer go where nobody judged the address.
        HostedStopped: Hosted traffic is stopped.
    """
    restricted = became_restricted(snapshot, reference, tlp)
    if restricted and became_restricted(_allowing(snapshot), reference, tlp):
        detail = (
            f"The policy was tightened while this waited for {reference.connection}: {tlp} data "
            "must be shown to stay local now. Start again."
        )
        raise TlpRefused(detail)


def _allowing(snapshot: Snapshot) -> Snapshot:
    """Return a configuration as it would be without a stop of hosted traffic."""
    return replace(snapshot, hosted_traffic=ALLOWED, stopped_here=None)
