"""What ends a pin: a removed key, or a tightened policy (ADR 026)."""

from __future__ import annotations

from aurorasoc.config.snapshot import Snapshot
from aurorasoc.config.vocabulary import Tlp
from aurorasoc.errors import ProviderNotReady, TlpRefused
from aurorasoc.granite import ModelReference
from aurorasoc.granite.catalog import CATALOG


def require_key(snapshot: Snapshot, reference: ModelReference) -> None:
    """Refuse a run whose key was removed; a replaced key may still be used.

    Raises:
        ProviderNotReady: The key was removed while this ran.
    """
    present = snapshot.providers[reference.provider].credential
    may_finish = present.lets_finish(reference.api_key, reference.key_source)
    if reference.has_key and not may_finish:
        detail = f"The key of {reference.provider} was removed while this ran. Start again."
        raise ProviderNotReady(detail)


def became_restricted(snapshot: Snapshot, reference: ModelReference, tlp: Tlp | None) -> bool:
    """Whether a tightened policy now requires the model to prove that it is local.

    Args:
        snapshot: What is in force now.
        reference: The model, of which no such proof was asked before.
        tlp: The label of what it is sent.

    Raises:
        TlpRefused: The model can't be local, or the run has no label and now needs one.
    """
    if not _is_restricted(snapshot, tlp):
        return False
    provider = reference.provider
    if not CATALOG[provider].may_be_local:
        detail = (
            f"The policy was tightened while this ran on {provider}: {tlp} data may "
            "no longer go there. Start again."
        )
        raise TlpRefused(detail)
    return True


def require_unrestricted(snapshot: Snapshot, reference: ModelReference, tlp: Tlp | None) -> None:
    """Refuse a call that waited, unproven to be local, while the policy was tightened.

    Raises:
        TlpRefused: Its label may no longer go where nobody judged the address.
    """
    if became_restricted(snapshot, reference, tlp):
        detail = (
            f"The policy was tightened while this waited for {reference.provider}: {tlp} data "
            "must be shown to stay local now. Start again."
        )
        raise TlpRefused(detail)


def _is_restricted(snapshot: Snapshot, tlp: Tlp | None) -> bool:
    policy = snapshot.policy
    if tlp is None:
        if policy.require_tlp.value:
            detail = "LLM_REQUIRE_TLP was set while this ran unlabelled. Start again, labelled."
            raise TlpRefused(detail)
        return False
    return tlp.rank > policy.hosted_max_tlp.value.rank
