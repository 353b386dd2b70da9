"""What an admin can do: read the inventory, switch, set and delete keys, test."""

from __future__ import annotations

import secrets
from dataclasses import asdict, dataclass, field, replace
from typing import Annotated, Literal

from pydantic import Field, SecretStr

from aurorasoc.config.settings import Settings
from aurorasoc.config.settings.ambient import proxies
from aurorasoc.config.snapshot import ConnectionConfig, Problem, Snapshot
from aurorasoc.config.vocabulary import AUTO, ConnectionName, Role
from aurorasoc.core.audit.actions import Action
from aurorasoc.core.audit.log import AuditEvent, AuditSink
from aurorasoc.core.clock import Clock, day_of, now_us
from aurorasoc.core.database.engine import Database
from aurorasoc.core.redaction import REDACTOR
from aurorasoc.errors import DatabaseUnavailable
from aurorasoc.granite.allowed_addresses import require_allowed_address
from aurorasoc.granite.backend_resolution import (
    connection_named,
    listing_reference,
    model_reference,
    require_exists,
)
from aurorasoc.granite.base_url import normalise_base_url, origin_of
from aurorasoc.granite.catalog import CATALOG
from aurorasoc.granite.sensitivity import why_not_local
from aurorasoc.llm.adoption.adopt import Adoption
from aurorasoc.llm.adoption.key_age import age_warning
from aurorasoc.llm.changes import edits
from aurorasoc.llm.changes.apply import Changer
from aurorasoc.llm.changes.history import config_at
from aurorasoc.llm.changes.plan import Change
from aurorasoc.llm.changes.requests import ConfigRequest
from aurorasoc.llm.fleet.registry import FleetAdoption
from aurorasoc.llm.inventory import (
    Active,
    ConnectionView,
    Inventory,
    Observation,
    active_of,
    connection_row,
    inventory_of,
)
from aurorasoc.llm.models.binding import Binding
from aurorasoc.llm.models.capabilities import ask_capabilities
from aurorasoc.llm.models.connection_models import ConnectionModels, models_of
from aurorasoc.llm.models.model_lists import ModelList, ModelLists
from aurorasoc.llm.models.pool import ModelPool
from aurorasoc.llm.models.test_call import CallTest, error_of, make_test_call
from aurorasoc.llm.models.traffic import TrafficLedger
from aurorasoc.llm.wire.asking.learned import Lesson, Place
from aurorasoc.llm.wire.libraries import litellm_table

OldKeyUse = Literal["in_use", "ending", "unused", "unknown"]


@dataclass(frozen=True, slots=True)
class MutationAnswer:
    """What is in force after a change; `adoption` and `old_key` only if they were requested.

    Attributes:
        old_key: Who may still use the key that was replaced or removed. `in_use`: a live process
            that is pending; `ending`: only runs that began with it; `unused`: none; `unknown`:
            the fleet couldn't be read.
    """

    revision: int
    active: Active
    provider: ConnectionView | None
    adoption: Annotated[
        FleetAdoption | None, Field(exclude_if=lambda adoption: adoption is None)
    ] = None
    old_key: Annotated[OldKeyUse | None, Field(exclude_if=lambda use: use is None)] = None

    def adopted_by(self, adoption: FleetAdoption | None) -> MutationAnswer:
        """Return the answer with what the fleet makes of the change; None: nobody asked."""
        old_key = self.old_key
        if adoption is None:
            old_key = None
        elif old_key is not None and not adoption.adopted:
            old_key = "in_use" if adoption.pending else "unknown"
        return replace(self, adoption=adoption, old_key=old_key)


@dataclass(frozen=True, slots=True)
class Admin:
    """What an admin can do, on this process's resources. Every change names its actor."""

    settings: Settings
    database: Database
    adoption: Adoption
    changer: Changer
    audit: AuditSink
    pool: ModelPool
    ledger: TrafficLedger
    lists: ModelLists = field(default_factory=ModelLists)
    clock: Clock = now_us

    async def inventory(self) -> Inventory:
        """Return all providers, the active choice and the policy, from memory."""
        snapshot = self.adoption.snapshot
        await self.pool.resolve(snapshot)
        observed = {name: await self._observe(snapshot, name) for name in snapshot.connections}
        return inventory_of(snapshot, observed, self.adoption.stale_since)

    async def switch(
        self,
        requested: ConfigRequest,
        *,
        actor: str,
        if_match: int | None = None,
        verify: bool = False,
    ) -> MutationAnswer:
        """Make a provider active, and configure it.

        Args:
            requested: What to switch to.
            actor: Who asks.
            if_match: The revision this is based on.
            verify: Test the new configuration first, and change nothing if that fails.

        Raises:
            UnknownProvider, Conflict, RevisionMismatch, InvalidInput, Unavailable: Refused.
            ModelCallError: `verify` is set, and the provider failed.
        """
        change = edits.switch(self.settings, await self._with_checked_base_url(requested))
        verify = verify and requested.provider != AUTO
        return await self.change(change, actor=actor, if_match=if_match, verify=verify)

    async def rollback(
        self, revision: int, *, actor: str, if_match: int | None = None
    ) -> MutationAnswer:
        """Restore an earlier configuration; keys are not rolled back.

        Raises:
            NotFound: There is no such revision.
            ProviderNotReady: It needs a key that is gone; nothing was changed.
        """
        async with self.database.reading() as session:
            earlier = await config_at(session, revision)
        return await self.change(edits.roll_back(earlier), actor=actor, if_match=if_match)

    async def change(
        self,
        change: Change,
        *,
        actor: str,
        if_match: int | None = None,
        verify: bool = False,
    ) -> MutationAnswer:
        """Make a change in one transaction, and adopt it in this process before returning.

        Args:
            change: What to change.
            actor: Who asks.
            if_match: The revision this is based on.
            verify: Test the provider that the change is about first, as the change would leave
                it, and change nothing if that fails.

        Raises:
            Conflict, RevisionMismatch, InvalidInput, Unavailable: Refused; see `Changer.apply`.
            ModelCallError: `verify` is set, and the provider failed.
        """
        if verify:
            if_match = await self._verify(change, actor, if_match)
        try:
            applied = await self.changer.apply(change, actor=actor, if_match=if_match)
        except DatabaseUnavailable:
            self.adoption.mark_stale()
            raise
        snapshot, row = applied.snapshot, None
        await self.pool.resolve(snapshot)
        if change.target in snapshot.connections:
            observed = await self._observe(snapshot, change.target)
            row = connection_row(snapshot, change.target, observed)
        active = await self._active(snapshot)
        return MutationAnswer(snapshot.revision, active, row, old_key=applied.old_key)

    async def models(self, name: str) -> ModelList:
        """List the models behind a connection, as the provider itself does.

        Raises:
            UnknownProvider: There is no such connection.
            ProviderNotReady: It can't be called; it needs no configured model for this.
            ModelCallError: It failed.
        """
        snapshot = self.adoption.snapshot
        tag = connection_named(snapshot, name).credential.tag
        reference = listing_reference(snapshot, name)
        return await self.lists.of(reference, tag, self.pool.address_policy(snapshot, name))

    async def test(self, name: str, *, role: Role, actor: str) -> CallTest:
        """Test a connection, active or not, over the production path.

        Audited before anything is sent, and again with the result.

        Raises:
            UnknownProvider: There is no such connection.
            NoModelConfigured, ProviderNotReady: It can't be called.
            AuditUnavailable, DatabaseUnavailable: It can't be audited; nothing was sent.
        """
        snapshot = self.adoption.snapshot
        connection_named(snapshot, name)
        model_reference(snapshot, name, role)  # refuse before seconds go into imports
        await self.pool.load()
        binding = self.pool.of_connection(name, role, snapshot)
        return await self._test(binding, snapshot, actor)

    async def _test(self, binding: Binding, snapshot: Snapshot, actor: str) -> CallTest:
        name, reference = binding.reference.connection, binding.reference
        details = {"role": binding.role, "model": reference.model, "origin": reference.origin}
        await self._record(AuditEvent(actor, Action.TEST_STARTED, name, details))
        self.pool.learned.learn(Lesson(Place.of(reference), forget=True))  # all is asked anew
        result = await make_test_call(binding, self._wrong_key(binding, snapshot))
        if result.ok:
            uncounted = self.pool.of_reference(reference, snapshot)  # refusals are no failures
            findings = await ask_capabilities(uncounted)
            result = result.with_findings(findings)
            self.pool.learned.learn(findings.lesson(Place.of(reference)))
        outcome = asdict(result)
        del outcome["connection"], outcome["provider"]  # the entry's target says who was asked
        await self._record(AuditEvent(actor, Action.TEST_FINISHED, name, outcome))
        return result

    async def _verify(self, change: Change, actor: str, if_match: int | None) -> int:
        """Test what a change would lead to, and return the revision that the test holds for.

        Not recorded in the ledger: the candidate is not active.
        """
        planned = await self.changer.preview(change, actor=actor, if_match=if_match)
        candidate = planned.candidate
        reference = model_reference(candidate, change.target, "specialist")
        REDACTOR.learn([reference.reveal_key()])  # it may never be adopted, and still be logged
        await self.pool.load()
        binding = self.pool.of_reference(reference, candidate)
        result = await self._test(binding, candidate, actor)
        if not result.ok:
            raise error_of(result)
        return planned.based_on

    def _wrong_key(self, binding: Binding, snapshot: Snapshot) -> Binding | None:
        """Return the binding with a wrong key, to test whether the endpoint checks keys.

        None for a vendor's own origin: a wrong key might count against the account.
        """
        reference = binding.reference
        vendor = origin_of(CATALOG[reference.provider].default_base_url)
        if reference.origin == vendor or not reference.has_key:
            return None
        wrong = replace(reference, api_key=SecretStr(f"wrong-{secrets.token_hex(12)}"))
        return self.pool.of_reference(wrong, snapshot)

    async def _record(self, event: AuditEvent) -> None:
        """Audit an event that is not a change.

        Raises:
            AuditUnavailable, DatabaseUnavailable: The entry isn't written.
        """
        async with self.database.transaction() as session:
            await self.audit.append(session, event)

    async def _with_checked_base_url(self, requested: ConfigRequest) -> ConfigRequest:
        """Normalise a new base URL and check its address; each connection checks it again."""
        if requested.base_url is None or requested.provider == AUTO:
            return requested
        provider = require_exists(self.adoption.snapshot, requested.provider).provider
        base_url = normalise_base_url(CATALOG[provider], requested.base_url)
        await require_allowed_address(provider, base_url, self.settings.server.allowed_hosts)
        return requested.model_copy(update={"base_url": base_url})

    async def _observe(self, snapshot: Snapshot, name: ConnectionName) -> Observation:
        config = snapshot.connections[name]
        provider, origin = config.provider, config.origin or ""
        why = await why_not_local(provider, origin, self.settings.llm.local_networks, proxies())
        known = self.pool.learned.of(Place(provider.value, origin, config.model.value or ""))
        return Observation(
            why is not None,
            self.ledger.of(name),
            known.capabilities,
            await self._models(snapshot, name),
            self._warnings(config),
        )

    async def _active(self, snapshot: Snapshot) -> Active:
        active = active_of(snapshot)
        if active.backend is None:
            return active
        models = await self._models(snapshot, active.backend)
        warnings = self._warnings(snapshot.connections[active.backend])
        return active_of(snapshot, models.retirements, warnings)

    async def _models(self, snapshot: Snapshot, name: ConnectionName) -> ConnectionModels:
        await litellm_table.load()
        return models_of(snapshot, name, self.pool.learned, day_of(self.clock()))

    def _warnings(self, config: ConnectionConfig) -> tuple[Problem, ...]:
        warning = age_warning(config, self.settings.llm.key_max_age, self.clock())
        return () if warning is None else (warning,)
