"""A test of a connection, audited, and what it teaches of the model."""

from __future__ import annotations

import secrets
from dataclasses import asdict, dataclass, replace

from pydantic import SecretStr

from aurorasoc.config.snapshot import Snapshot
from aurorasoc.config.vocabulary import ConnectionName, Role
from aurorasoc.core.audit.actions import Action
from aurorasoc.core.audit.log import AuditEvent, AuditSink
from aurorasoc.core.database.engine import Database
from aurorasoc.core.redaction import REDACTOR
from aurorasoc.errors import AuroraError, HostedStopped
from aurorasoc.granite import ModelReference
from aurorasoc.granite.backend_resolution import (
    connection_named,
    listing_reference,
    model_reference,
)
from aurorasoc.granite.base_url import origin_of
from aurorasoc.granite.catalog import CATALOG
from aurorasoc.llm.models.binding import Binding
from aurorasoc.llm.models.capabilities import ask_capabilities
from aurorasoc.llm.models.model_lists import ModelList, ModelLists
from aurorasoc.llm.models.pool import ModelPool
from aurorasoc.llm.models.test_call import CallTest, make_test_call
from aurorasoc.llm.models.traffic import TrafficLedger
from aurorasoc.llm.wire.asking.learned import Lesson, Place


@dataclass(frozen=True, slots=True)
class TestRuns:
    """Runs tests over the production path; each is audited before anything is sent, and after."""

    __test__ = False  # not a test class, despite its name

    database: Database
    audit: AuditSink
    pool: ModelPool
    ledger: TrafficLedger

    async def of_connection(
        self, name: str, role: Role, snapshot: Snapshot, actor: str
    ) -> CallTest:
        """Test a connection as it is configured, active or not.

        Raises:
            UnknownProvider: There is no such connection.
            NoModelConfigured, ProviderNotReady: It can't be called.
            HostedStopped: Hosted traffic is, or was meanwhile, stopped.
            AuditUnavailable, DatabaseUnavailable: It can't be audited; nothing was sent.
        """
        connection_named(snapshot, name)
        model_reference(snapshot, name, role)  # refuse before seconds go into imports
        await self.pool.load()
        return await self._run(self.pool.of_connection(name, role, snapshot), snapshot, actor)

    async def of_candidate(
        self,
        name: ConnectionName,
        role: Role,
        candidate: Snapshot,
        actor: str,
        model: str | None = None,
    ) -> CallTest:
        """Test a connection as a change would leave it.

        The ledger counts nothing, as the candidate isn't active; it notes that it answers.

        Args:
            name: The connection.
            role: Whose model.
            candidate: What would be in force.
            actor: Who asks.
            model: Another of its models, which is assigned to the role.

        Raises:
            NoModelConfigured, ProviderNotReady: It couldn't be called.
            HostedStopped: Hosted traffic is, or was meanwhile, stopped.
            AuditUnavailable, DatabaseUnavailable: It can't be audited; nothing was sent.
        """
        reference = model_reference(candidate, name, role, model)
        REDACTOR.learn([reference.reveal_key()])  # it may never be adopted, and still be logged
        await self.pool.load()
        result = await self._run(
            self.pool.of_reference(reference, candidate, role), candidate, actor
        )
        if result.ok:
            self.ledger.answered(reference)
        return result

    async def of_list(
        self, name: ConnectionName, lists: ModelLists, candidate: Snapshot, actor: str
    ) -> ModelList:
        """Read a connection's list of models as a change would leave it. Audited as a test is.

        Raises:
            ProviderNotReady: It couldn't be called.
            HostedStopped: Hosted traffic is, or was meanwhile, stopped.
            ModelCallError: It failed.
            AuditUnavailable, DatabaseUnavailable: It can't be audited; nothing was sent.
        """
        reference = listing_reference(candidate, name)
        self.pool.sites.stop.require_allowed(reference)
        REDACTOR.learn([reference.reveal_key()])  # as for a test
        details = {"of": "models", "origin": reference.origin}
        await self._record(AuditEvent(actor, Action.TEST_STARTED, name, details))
        finished = AuditEvent(actor, Action.TEST_FINISHED, name, {"of": "models", "code": "ok"})
        try:
            async with self.pool.sites.asking(reference, candidate) as address_policy:
                listed = await lists.read(reference, address_policy)
        except AuroraError as error:
            await self._record(replace(finished, details={"of": "models", "code": error.code}))
            raise
        await self._record(finished)
        return listed

    async def _run(self, binding: Binding, snapshot: Snapshot, actor: str) -> CallTest:
        name, reference = binding.reference.connection, binding.reference
        self.pool.sites.stop.require_allowed(reference)
        details = {"role": binding.role, "model": reference.model, "origin": reference.origin}
        await self._record(AuditEvent(actor, Action.TEST_STARTED, name, details))
        place = Place.of(reference)
        known = self.pool.sites.learned.of(place)
        self.pool.sites.learned.learn(Lesson(place, forget=True))  # all is asked anew
        lesson = Lesson(place, known.refused, known.capabilities)
        try:
            result = await make_test_call(binding, self._wrong_key(reference, snapshot))
            if result.ok:
                uncounted = self.pool.of_reference(reference, snapshot)  # refusals are no failures
                findings = await ask_capabilities(uncounted)
                result = result.with_findings(findings)
                lesson = findings.lesson(place)
        except HostedStopped as stopped:  # meanwhile
            self.pool.sites.learned.learn(lesson)
            outcome = {"ok": False, "code": stopped.code}
            await self._record(AuditEvent(actor, Action.TEST_FINISHED, name, outcome))
            raise
        self.pool.sites.learned.learn(lesson)  # a failure says nothing of the model
        outcome = asdict(result)
        del outcome["connection"], outcome["provider"]  # the entry's target says who was asked
        await self._record(AuditEvent(actor, Action.TEST_FINISHED, name, outcome))
        return result

    def _wrong_key(self, reference: ModelReference, snapshot: Snapshot) -> Binding | None:
        """Return the binding with a wrong key, to test whether the endpoint checks keys.

        None for a vendor's own origin: a wrong key might count against the account.
        """
        vendor = origin_of(CATALOG[reference.provider].default_base_url)
        if reference.origin == vendor or not reference.has_key:
            return None
        key = SecretStr(f"wrong-{secrets.token_hex(12)}")
        wrong = replace(reference, api_key=key, key_tag="")
        return self.pool.of_reference(wrong, snapshot)

    async def _record(self, event: AuditEvent) -> None:
        """Audit an event that is not a change.

        Raises:
            AuditUnavailable, DatabaseUnavailable: The entry isn't written.
        """
        async with self.database.transaction() as session:
            await self.audit.append(session, event)
