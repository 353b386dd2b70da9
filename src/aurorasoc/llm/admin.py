"""What an admin can do: read the inventory, switch, set and delete keys, test."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from aurorasoc.config.settings import Settings
from aurorasoc.config.vocabulary import AUTO, Role
from aurorasoc.core.audit.log import AuditSink
from aurorasoc.core.clock import Clock, iso, now_us
from aurorasoc.core.database.engine import Database
from aurorasoc.errors import DatabaseUnavailable
from aurorasoc.granite.backend_resolution import (
    connection_named,
    listing_reference,
    require_exists,
)
from aurorasoc.granite.explain import Explanation, explain
from aurorasoc.llm.adoption.adopt import Adoption
from aurorasoc.llm.budgets.guard import BudgetGuard
from aurorasoc.llm.budgets.view import BudgetsView, view_budgets
from aurorasoc.llm.changes import connection_edits, edits, hosted_edits
from aurorasoc.llm.changes.addresses import with_checked_address
from aurorasoc.llm.changes.apply import Changer
from aurorasoc.llm.changes.history import config_at
from aurorasoc.llm.changes.plan import Change
from aurorasoc.llm.changes.previews import (
    Preview,
    RollbackPlan,
    preview_of,
    rollback_plan_of,
)
from aurorasoc.llm.changes.requests import (
    ConfigRequest,
    ConnectionRequest,
    HostedTrafficRequest,
    ListRequest,
    PlannedRequest,
    RollbackKey,
    TestRequest,
)
from aurorasoc.llm.changes.tested import to_test
from aurorasoc.llm.inventory import (
    Inventory,
    active_name,
    active_of,
    connection_row,
    inventory_of,
)
from aurorasoc.llm.models.handles import parse_tlp
from aurorasoc.llm.models.model_lists import ModelList, ModelLists
from aurorasoc.llm.models.pool import ModelPool
from aurorasoc.llm.models.test_call import CallTest, error_of
from aurorasoc.llm.models.test_run import TestRuns
from aurorasoc.llm.models.traffic import TrafficLedger
from aurorasoc.llm.mutations import MutationAnswer
from aurorasoc.llm.observe import Observer
from aurorasoc.llm.trials import Trials


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
    guard: BudgetGuard
    lists: ModelLists = field(default_factory=ModelLists)
    clock: Clock = now_us

    async def inventory(self) -> Inventory:
        """Return all providers, the active choice and the policy, from memory."""
        snapshot = self.adoption.snapshot
        await self.pool.resolve_active(snapshot)
        observed = await self._observer.all_of(snapshot)
        return inventory_of(snapshot, observed, self.adoption.stale_since)

    async def budgets(self) -> BudgetsView:
        """Return the limits in force, and how they stand by what all processes have booked.

        Raises:
            DatabaseUnavailable: The database doesn't answer.
        """
        await self.guard.teller.flush()
        return await view_budgets(self.adoption.snapshot, self.database)

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
        change = await self.switch_to(requested)
        verify = verify and requested.provider != AUTO
        return await self.change(change, actor=actor, if_match=if_match, verify=verify)

    async def put_connection(
        self,
        name: str,
        requested: ConnectionRequest,
        *,
        actor: str,
        if_match: int | None = None,
        verify: bool = False,
    ) -> MutationAnswer:
        """Create a connection, or change it, without switching to it.

        Args:
            name: Its name.
            requested: Its values.
            actor: Who asks.
            if_match: The revision this is based on.
            verify: Test it first as it would be, and change nothing if that fails.

        Raises:
            Conflict, RevisionMismatch, InvalidInput, Unavailable: Refused.
            ModelCallError: `verify` is set, and the provider failed.
        """
        change = await self.connection_as(name, requested)
        return await self.change(change, actor=actor, if_match=if_match, verify=verify)

    async def switch_to(self, requested: ConfigRequest) -> Change:
        """Return the change that a switch makes; its address is checked.

        Raises:
            InvalidInput: There is no such connection, or its address is refused.
        """
        if requested.base_url is not None and requested.provider != AUTO:
            present = require_exists(self.adoption.snapshot, requested.provider)
            requested = await with_checked_address(self.settings, requested, present.provider)
        return edits.switch(self.settings, requested)

    async def connection_as(self, name: str, requested: ConnectionRequest) -> Change:
        """Return the change that creates a connection, or changes it; its address is checked.

        Raises:
            InvalidInput: No connection can be called so, or its address is refused.
        """
        requested = await with_checked_address(self.settings, requested, requested.provider)
        return connection_edits.put_connection(self.settings, name, requested)

    async def set_hosted_traffic(
        self, requested: HostedTrafficRequest, *, actor: str, if_match: int | None = None
    ) -> MutationAnswer:
        """Stop all traffic to hosted providers, or allow it again.

        Raises:
            RevisionMismatch, Unavailable: Nothing was changed.
        """
        since = iso(self.clock())
        change = hosted_edits.set_hosted_traffic(requested, by=actor, since=since)
        return await self.change(change, actor=actor, if_match=if_match)

    async def explain(
        self,
        tlp: str | None,
        *,
        role: Role = "specialist",
        agent: str | None = None,
        planned: PlannedRequest | None = None,
    ) -> Explanation:
        """Say where a label may go, and why, now or as a planned change would leave it.

        Raises:
            InvalidInput: What is planned names a connection that doesn't exist.
            DatabaseUnavailable: Something is planned, and what is stored can't be read.
        """
        snapshot = self.adoption.snapshot
        if planned is not None:
            change = connection_edits.plan_only(planned)
            snapshot = (await self.changer.preview(change, actor="", if_match=None)).candidate
        label = parse_tlp(tlp)
        await self.pool.resolve(snapshot, label, role, agent)
        return explain(snapshot, label, role, agent)

    async def rollback(
        self,
        revision: int,
        *,
        actor: str,
        if_match: int | None = None,
        verify: bool = False,
        key: RollbackKey | None = None,
    ) -> MutationAnswer:
        """Restore an earlier configuration; keys are not rolled back.

        Args:
            revision: Which.
            actor: Who asks.
            if_match: The revision this is based on.
            verify: Test both roles' models first, where others would answer than do now, and
                change nothing if that fails.
            key: A key for the address that a connection goes back to.

        Raises:
            NotFound: There is no such revision.
            ProviderNotReady: It needs a key that isn't there; nothing was changed.
            Conflict, RevisionMismatch, InvalidInput, Unavailable: Refused.
            ModelCallError: `verify` is set, and a provider failed.
        """
        change = await self._back_to(revision, key)
        return await self.change(change, actor=actor, if_match=if_match, verify=verify)

    async def plan_rollback(self, revision: int) -> RollbackPlan:
        """Say what a rollback would change of what is in force, and which keys it would need.

        Raises:
            NotFound: There is no such revision.
            Conflict: It can't be restored.
        """
        change = replace(await self._back_to(revision), check=lambda _candidate: None)
        planned = await self.changer.preview(change, actor="", if_match=None)
        return rollback_plan_of(planned, revision)

    async def preview_reset(self) -> Preview:
        """Say what a reset would change of what is in force, and which keys it would need.

        Raises:
            DatabaseUnavailable: What is stored can't be read.
        """
        return preview_of(await self.changer.preview(edits.reset(), actor="", if_match=None))

    async def _back_to(self, revision: int, key: RollbackKey | None = None) -> Change:
        async with self.database.reading() as session:
            earlier = await config_at(session, revision)
        return edits.roll_back(self.settings, earlier, key)

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
            verify: Test the connection that the change is about first, or who would answer the
                roles then, and change nothing if that fails.

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
        await self.pool.resolve_active(snapshot)
        concerned = {change.target, active_name(snapshot) or AUTO}
        observed = await self._observer.of_these(snapshot, concerned)
        if change.target in snapshot.connections:
            row = connection_row(snapshot, change.target, observed[change.target])
        active = active_of(snapshot, observed)
        answer = MutationAnswer(snapshot.revision, active, row)
        if (old := applied.old_key) is not None:
            answer = replace(answer, old_key=old.use, old_key_tags=old.tags)
        return answer

    async def models(self, name: str) -> ModelList:
        """List the models behind a connection, as the provider itself does.

        Raises:
            UnknownProvider: There is no such connection.
            ProviderNotReady: It can't be called; it needs no configured model for this.
            HostedStopped, TlpRefused: Hosted traffic is stopped, and this is some.
            ModelCallError: It failed.
        """
        snapshot = self.adoption.snapshot
        tag = connection_named(snapshot, name).credential.tag
        reference = listing_reference(snapshot, name)
        async with self.pool.sites.asking(reference, snapshot) as address_policy:
            return await self.lists.of(reference, tag, address_policy)

    async def test(self, name: str, *, role: Role, actor: str) -> CallTest:
        """Test a connection, active or not, over the production path.

        Audited before anything is sent, and again with the result.

        Raises:
            UnknownProvider: There is no such connection.
            NoModelConfigured, ProviderNotReady: It can't be called.
            AuditUnavailable, DatabaseUnavailable: It can't be audited; nothing was sent.
        """
        return await self._tests.of_connection(name, role, self.adoption.snapshot, actor)

    async def test_unsaved(self, name: str, requested: TestRequest, *, actor: str) -> CallTest:
        """Test a connection with values that aren't saved, and save nothing of them.

        A key that is sent belongs to the address that is tested; the one in force stays with its
        own. See `Trials.test`.
        """
        return await self._trials.test(name, requested, actor=actor)

    async def models_unsaved(self, name: str, requested: ListRequest, *, actor: str) -> ModelList:
        """List the models behind a connection with values that aren't saved; see `Trials.models`.

        A key that is sent belongs to the address that is asked; the one in force stays with its
        own.
        """
        return await self._trials.models(name, requested, actor=actor)

    async def _verify(self, change: Change, actor: str, if_match: int | None) -> int:
        """Test what a change would lead to, and return the revision that the test holds for.

        The orchestrator's model is tested, too, where it is another.
        """
        planned = await self.changer.preview(change, actor=actor, if_match=if_match)
        candidate = planned.candidate
        for one in to_test(change.target, planned.before.snapshot, candidate):
            result = await self._tests.of_candidate(
                one.connection, one.role, candidate, actor, one.model
            )
            if not result.ok:
                raise error_of(result)
        return planned.based_on

    @property
    def _tests(self) -> TestRuns:
        return TestRuns(self.database, self.audit, self.pool, self.ledger)

    @property
    def _trials(self) -> Trials:
        return Trials(self.settings, self.changer, self._tests, self.lists)

    @property
    def _observer(self) -> Observer:
        return Observer(self.settings.llm, self.pool.sites.learned, self.ledger, self.clock)
