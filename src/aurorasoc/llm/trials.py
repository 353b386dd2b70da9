"""Ask a provider with values that aren't saved: for a test, or for its list of models."""

from __future__ import annotations

from dataclasses import dataclass

from aurorasoc.config.settings import Settings
from aurorasoc.config.snapshot import Snapshot
from aurorasoc.config.vocabulary import ServingBackend
from aurorasoc.granite.backend_resolution import connection_named
from aurorasoc.llm.changes import connection_edits, edits
from aurorasoc.llm.changes.addresses import with_checked_address
from aurorasoc.llm.changes.apply import Changer
from aurorasoc.llm.changes.requests import ListRequest, TestRequest
from aurorasoc.llm.models.model_lists import ModelList, ModelLists
from aurorasoc.llm.models.test_call import CallTest
from aurorasoc.llm.models.test_run import TestRuns


@dataclass(frozen=True, slots=True)
class Trials:
    """Plans what would be saved, and asks with that. Nothing is saved; all is audited."""

    settings: Settings
    changer: Changer
    tests: TestRuns
    lists: ModelLists

    async def test(self, name: str, requested: TestRequest, *, actor: str) -> CallTest:
        """Test a connection with values that aren't saved.

        Raises:
            UnknownProvider: There is no such connection.
            InvalidInput, KeyBoundToOrigin: The values can't be saved either.
            NoModelConfigured, ProviderNotReady: It couldn't be called with them.
            AuditUnavailable, DatabaseUnavailable: It can't be audited; nothing was sent.
        """
        present = connection_named(self._snapshot, name)
        requested = await with_checked_address(self.settings, requested, present.provider)
        change = edits.trial(self.settings, name, requested)
        planned = await self.changer.preview(change, actor=actor, if_match=None)
        return await self.tests.of_candidate(name, requested.role, planned.candidate, actor)

    async def models(self, name: str, requested: ListRequest, *, actor: str) -> ModelList:
        """List the models behind a connection with values that aren't saved.

        The connection need not exist yet; its provider is then part of the request.

        Raises:
            UnknownProvider: There is no such connection, and no provider was sent.
            InvalidInput, KeyBoundToOrigin: The values can't be saved either.
            ProviderNotReady: It couldn't be called with them.
            ModelCallError: It failed.
            AuditUnavailable, DatabaseUnavailable: It can't be audited; nothing was sent.
        """
        provider = self._provider(name, requested)
        requested = await with_checked_address(self.settings, requested, provider)
        change = connection_edits.listing(self.settings, name, provider, requested)
        planned = await self.changer.preview(change, actor=actor, if_match=None)
        return await self.tests.of_list(name, self.lists, planned.candidate, actor)

    def _provider(self, name: str, requested: ListRequest) -> ServingBackend:
        if requested.provider is not None:
            return requested.provider
        return connection_named(self._snapshot, name).provider

    @property
    def _snapshot(self) -> Snapshot:
        return self.changer.adoption.snapshot
