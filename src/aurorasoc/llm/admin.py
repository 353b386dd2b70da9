"""The use cases of an admin: look, switch, set and delete keys, test."""

from __future__ import annotations

import secrets
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from pydantic import SecretStr

from aurorasoc.config.settings import Settings
from aurorasoc.config.settings.ambient import proxies
from aurorasoc.config.snapshot import Snapshot
from aurorasoc.config.vocabulary import AUTO, Role, ServingBackend
from aurorasoc.core.audit.log import AuditEvent, AuditSink
from aurorasoc.core.database.engine import Database
from aurorasoc.core.redaction import REDACTOR
from aurorasoc.errors import DatabaseUnavailable
from aurorasoc.granite.allowed_addresses import require_allowed
from aurorasoc.granite.backend_resolution import listing_reference, model_reference
from aurorasoc.granite.base_url import normalise_base_url, origin_of
from aurorasoc.granite.catalog import CATALOG, spec_of
from aurorasoc.granite.sensitivity import resolve_for, why_not_local
from aurorasoc.llm.adoption.adopt import Adoption
from aurorasoc.llm.changes import edits
from aurorasoc.llm.changes.apply import Changer
from aurorasoc.llm.changes.history import configuration_at, rollback
from aurorasoc.llm.changes.plan import Change
from aurorasoc.llm.inventory import Seen, active_of, inventory_of, provider_row
from aurorasoc.llm.models.binding import Binding
from aurorasoc.llm.models.model_lists import ModelList, ModelLists
from aurorasoc.llm.models.pool import ModelPool
from aurorasoc.llm.models.test_call import ProbeResult, error_of, probe
from aurorasoc.llm.models.traffic import TrafficLedger


@dataclass(frozen=True, slots=True)
class Admin:
    """What can be asked of the configuration. Every call names who asks."""

    settings: Settings
    database: Database
    adoption: Adoption
    changer: Changer
    audit: AuditSink
    pool: ModelPool
    ledger: TrafficLedger
    lists: ModelLists = field(default_factory=ModelLists)

    async def inventory(self) -> dict[str, Any]:
        """Give all providers, the active choice and the policy, from memory."""
        snapshot = self.adoption.snapshot
        await resolve_for(snapshot)
        seen = {provider: await self._seen(snapshot, provider) for provider in CATALOG}
        return inventory_of(snapshot, seen, self.adoption.stale_since)

    async def switch(
        self,
        wanted: edits.Configuration,
        *,
        actor: str,
        if_match: int | None = None,
        verify: bool = False,
    ) -> dict[str, Any]:
        """Make a provider active, and configure it.

        Args:
            wanted: What to switch to.
            actor: Who asks.
            if_match: The revision this is based on.
            verify: Test the new configuration first, and change nothing when that fails.

        Raises:
            UnknownProvider, Conflict, RevisionMismatch, InvalidInput, Unavailable: Refused.
            ModelCallError: `verify` was asked for, and the provider failed.
        """
        if wanted.provider != AUTO:
            await self._require_reachable(wanted)
        change = edits.switch(self.settings, wanted)
        if verify and wanted.provider != AUTO:
            if_match = await self._verify(change, actor, if_match)
        return await self._apply(change, actor, if_match)

    async def reset(self, *, actor: str, if_match: int | None = None) -> dict[str, Any]:
        """Go back to the boot defaults; keys and policy stay."""
        return await self._apply(edits.reset(), actor, if_match)

    async def set_key(
        self, name: str, api_key: SecretStr, *, actor: str, if_match: int | None = None
    ) -> dict[str, Any]:
        """Store a key for the provider's effective origin."""
        provider = spec_of(name).provider
        return await self._apply(edits.set_key(provider, api_key), actor, if_match)

    async def delete_key(
        self, name: str, *, actor: str, if_match: int | None = None
    ) -> dict[str, Any]:
        """Remove a stored key."""
        provider = spec_of(name).provider
        return await self._apply(edits.delete_key(provider), actor, if_match)

    async def set_policy(
        self, wanted: edits.PolicyChange, *, actor: str, if_match: int | None = None
    ) -> dict[str, Any]:
        """Change which data may go where."""
        return await self._apply(edits.set_policy(wanted), actor, if_match)

    async def rollback(
        self, revision: int, *, actor: str, if_match: int | None = None
    ) -> dict[str, Any]:
        """Make an earlier configuration the new one; keys are not rolled back.

        Raises:
            NotFound: There is no such revision.
            ProviderNotReady: It needs a key that is gone; nothing was changed.
        """
        async with self.database.reading() as session:
            earlier = await configuration_at(session, revision)
        return await self._apply(rollback(earlier), actor, if_match)

    async def models(self, name: str) -> ModelList:
        """Give the models that a provider itself lists.

        Raises:
            UnknownProvider: There is no such provider.
            ProviderNotReady: It can't be asked; a missing model name is no hindrance.
            ModelCallError: It failed.
        """
        provider, snapshot = spec_of(name).provider, self.adoption.snapshot
        reference = listing_reference(snapshot, provider)
        tag = snapshot.providers[provider].credential.tag
        return await self.lists.of(reference, tag, self.pool.reach(snapshot, provider))

    async def test(self, name: str, *, role: Role, actor: str) -> ProbeResult:
        """Test a provider, active or not, on the path that production uses.

        Audited before anything is sent, and with the outcome.

        Raises:
            UnknownProvider: There is no such provider.
            NoModelConfigured, ProviderNotReady: There is nothing to send.
            AuditUnavailable, DatabaseUnavailable: It can't be audited; nothing was sent.
        """
        provider, snapshot = spec_of(name).provider, self.adoption.snapshot
        model_reference(snapshot, provider, role)  # refuse before seconds go into imports
        await self.pool.load()
        binding = self.pool.of_provider(provider, role, snapshot)
        return await self._test(binding, snapshot, actor)

    async def _test(self, binding: Binding, snapshot: Snapshot, actor: str) -> ProbeResult:
        provider, reference = binding.reference.provider, binding.reference
        asked = {"role": binding.role, "model": reference.model, "origin": reference.origin}
        await self.record(AuditEvent(actor, "llm.test.started", provider.value, asked))
        result = await probe(binding, self._wrong_key(binding, snapshot))
        outcome = {key: value for key, value in asdict(result).items() if key != "provider"}
        await self.record(AuditEvent(actor, "llm.test.finished", provider.value, outcome))
        return result

    async def _verify(self, change: Change, actor: str, if_match: int | None) -> int:
        """Test what a change would lead to. Give the revision that this holds for.

        How it ends says nothing of what is in force, and isn't told there.
        """
        planned = await self.changer.preview(change, if_match=if_match)
        candidate = planned.candidate
        reference = model_reference(candidate, ServingBackend(change.target), "specialist")
        REDACTOR.learn([reference.reveal_key()])  # it may never be adopted, and still be logged
        await self.pool.load()
        binding = self.pool.of_reference(reference, candidate)
        result = await self._test(binding, candidate, actor)
        if not result.ok:
            raise error_of(result)
        return planned.based_on

    def _wrong_key(self, binding: Binding, snapshot: Snapshot) -> Binding | None:
        """The same with a key that can't be right, to see whether an endpoint checks keys.

        A vendor's own origin is never sent one: it might count against the account.
        """
        reference = binding.reference
        vendor = origin_of(CATALOG[reference.provider].default_base_url)
        if reference.origin == vendor or not reference.has_key:
            return None
        wrong = replace(reference, api_key=SecretStr(f"wrong-{secrets.token_hex(12)}"))
        return self.pool.of_reference(wrong, snapshot)

    async def record(self, event: AuditEvent) -> None:
        """Write an entry that belongs to no change.

        Raises:
            AuditUnavailable, DatabaseUnavailable: It isn't written.
        """
        async with self.database.transaction() as session:
            await self.audit.append(session, event)

    async def _apply(self, change: Change, actor: str, if_match: int | None) -> dict[str, Any]:
        try:
            snapshot = await self.changer.apply(change, actor=actor, if_match=if_match)
        except DatabaseUnavailable:
            self.adoption.mark_stale()
            raise
        await resolve_for(snapshot)
        return await self._outcome(snapshot, change.target)

    async def _outcome(self, snapshot: Snapshot, target: str) -> dict[str, Any]:
        row = None
        if target in CATALOG:
            provider = ServingBackend(target)
            row = provider_row(snapshot, provider, await self._seen(snapshot, provider))
        return {
            "revision": snapshot.revision,
            "active": active_of(snapshot),
            "provider": row,
        }

    async def _require_reachable(self, wanted: edits.Configuration) -> None:
        """Judge where a new base URL leads before it is stored; connections judge it again."""
        spec = spec_of(wanted.provider)
        if isinstance(wanted.base_url, str):
            base_url = normalise_base_url(spec, wanted.base_url)
            await require_allowed(spec.provider, base_url, self.settings.server.allowed_hosts)

    async def _seen(self, snapshot: Snapshot, provider: ServingBackend) -> Seen:
        origin = snapshot.providers[provider].origin or ""
        why = await why_not_local(provider, origin, self.settings.llm.local_networks, proxies())
        return Seen(leaves_host=why is not None, last=self.ledger.of(provider))
