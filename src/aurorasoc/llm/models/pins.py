"""What breaks a pin: a key that was removed, and a policy that was tightened (ADR 026)."""

from __future__ import annotations

from aurorasoc.config.snapshot import Snapshot
from aurorasoc.config.vocabulary import Tlp
from aurorasoc.errors import ProviderNotReady, TlpRefused
from aurorasoc.granite import ModelReference
from aurorasoc.granite.catalog import CATALOG
from aurorasoc.llm.models.binding import Binding


def require_key(snapshot: Snapshot, reference: ModelReference) -> None:
    """Refuse a run whose key is gone; one that was replaced may go on.

    Raises:
        ProviderNotReady: The key was removed while this ran.
    """
    present = snapshot.providers[reference.provider].credential
    gone = present.api_key is None or (
        present.source != reference.key_source and present.api_key != reference.api_key
    )
    if reference.has_key and gone:
        detail = f"The key of {reference.provider} was removed while this ran. Start again."
        raise ProviderNotReady(detail)


def became_restricted(snapshot: Snapshot, binding: Binding) -> bool:
    """Whether the policy was tightened so that the same model has to prove that it is local.

    Raises:
        TlpRefused: It never may be, or the run bears no label and now needs one.
    """
    if binding.restricted or not _is_restricted(snapshot, binding.tlp):
        return False
    provider = binding.reference.provider
    if not CATALOG[provider].may_be_local:
        detail = (
            f"The policy was tightened while this ran on {provider}: {binding.tlp} data may "
            "no longer go there. Start again."
        )
        raise TlpRefused(detail)
    return True


def _is_restricted(snapshot: Snapshot, tlp: Tlp | None) -> bool:
    policy = snapshot.policy
    if tlp is None:
        if policy.require_tlp.value:
            detail = "LLM_REQUIRE_TLP was set while this ran unlabelled. Start again, labelled."
            raise TlpRefused(detail)
        return False
    return tlp.rank > policy.hosted_max_tlp.value.rank
