"""Processes whose environments differ: what one of them declares, and another doesn't."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest
from pydantic import SecretStr

from aurorasoc.config.settings import Settings
from aurorasoc.config.snapshot import ConnectionConfig
from aurorasoc.core.audit.log import AuditLog
from aurorasoc.core.database.engine import Database
from aurorasoc.core.secret_store import DatabaseSecretStore
from aurorasoc.errors import InvalidInput, ProviderNotReady
from aurorasoc.granite.sensitivity import route
from aurorasoc.llm.adoption.adopt import Adoption
from aurorasoc.llm.changes import connection_edits, edits, key_edits
from aurorasoc.llm.changes.apply import Changer
from aurorasoc.llm.changes.journal import Journal
from aurorasoc.llm.changes.plan import Change
from aurorasoc.llm.changes.requests import AssignmentsRequest, ConnectionRequest
from tests.examples import API_KEY, config_request, keyring, policy_request, settings
from tests.world.databases import ON_BOTH

NAME: Final = "eu"
DECLARED: Final = {
    "LLM_CONNECTION_EU_PROVIDER": "openai",
    "LLM_CONNECTION_EU_BASE_URL": "https://soc.openai.azure.com/openai/v1",
    "LLM_CONNECTION_EU_MODEL": "gpt-5-soc",
    "LLM_CONNECTION_EU_MAX_TLP": "CLEAR",
    "LLM_CONNECTION_EU_API_KEY": API_KEY,
}

pytestmark = ON_BOTH


@dataclass(frozen=True)
class Process:
    """A process of the fleet: its own environment and snapshot, on the shared database."""

    settings: Settings
    adoption: Adoption
    changer: Changer

    async def make(self, change: Change) -> None:
        """Make a change as an admin does."""
        await self.changer.apply(change, actor="alice", if_match=None)

    async def switch(self, name: str, **fields: str) -> None:
        """Make a connection active."""
        await self.make(edits.switch(self.settings, config_request(name, **fields)))


def process(database: Database, tmp_path: Path, **variables: str) -> Process:
    """Start a process with these variables."""
    boot = settings(tmp_path, **variables)
    store = DatabaseSecretStore(keyring())
    adoption = Adoption(boot, database, store, keyring())
    return Process(boot, adoption, Changer(database, adoption, store, Journal(AuditLog(keyring()))))


@pytest.fixture
async def declaring(database: Database, tmp_path: Path) -> Process:
    """Start the process whose environment declares the connection."""
    started = process(database, tmp_path, **DECLARED)
    await started.adoption.adopt()
    return started


@pytest.fixture
async def other(database: Database, tmp_path: Path) -> Process:
    """Start the process whose environment doesn't."""
    started = process(database, tmp_path)
    await started.adoption.adopt()
    return started


async def seen(process: Process) -> ConnectionConfig:
    """Return the connection, as a process has it once it has heard of the newest revision."""
    return (await process.adoption.adopt()).connections[NAME]


async def test_it_is_not_there_until_a_change_names_it(declaring: Process, other: Process) -> None:
    """Nothing tells of it; the fingerprints differ."""
    there, here = declaring.adoption.snapshot, other.adoption.snapshot
    assert (NAME in there.connections, NAME in here.connections) == (True, False)
    assert there.fingerprint != here.fingerprint


async def test_active_elsewhere_it_is_not_ready_here_and_says_so(
    declaring: Process, other: Process
) -> None:
    """With no address and no default in the place of one: data for it must not go to the vendor."""
    await declaring.switch(NAME)
    config = await seen(other)
    assert other.adoption.snapshot.requested.value == NAME
    assert (config.ready, config.origin, config.credential.state) == (False, None, "absent")
    (problem,) = config.problems
    assert (problem.code, "LLM_CONNECTION_EU_PROVIDER" in problem.detail) == (
        "declared_elsewhere",
        True,
    )
    assert declaring.adoption.snapshot.connections[NAME].ready
    assert declaring.adoption.snapshot.fingerprint != other.adoption.snapshot.fingerprint


@pytest.mark.parametrize("kind", ["openai", "anthropic", "gemini", "deepseek", "vllm"])
async def test_no_kind_falls_back_to_its_vendor(
    database: Database, tmp_path: Path, other: Process, kind: str
) -> None:
    """Even with a stored key: the ceiling of the other environment isn't known here."""
    declared = {"LLM_CONNECTION_EU_PROVIDER": kind, "LLM_CONNECTION_EU_MAX_TLP": "NONE"}
    declared["LLM_CONNECTION_EU_MODEL"] = "m"
    if kind == "vllm":
        declared["LLM_CONNECTION_EU_BASE_URL"] = "http://127.0.0.1:1/v1"
    declaring = process(database, tmp_path, **declared)
    await declaring.switch(NAME, api_key=API_KEY)
    assert declaring.adoption.snapshot.connections[NAME].ready
    config = await seen(other)
    assert (config.ready, config.credential.api_key) == (False, None)


async def test_its_key_cant_be_entered_where_its_address_is_not_known(
    declaring: Process, other: Process
) -> None:
    """It would be bound to the vendor's address."""
    await declaring.switch(NAME)
    await seen(other)
    change = key_edits.set_key(NAME, SecretStr(API_KEY))
    with pytest.raises(InvalidInput, match="no base URL to bind a key to"):
        await other.make(change)


async def test_a_change_made_here_leaves_it_declared_there(
    declaring: Process, other: Process
) -> None:
    """A process that doesn't declare it may change it all the same."""
    await declaring.switch(NAME)
    await declaring.make(edits.reset())
    await seen(other)
    request = ConnectionRequest.model_validate({"provider": "openai", "model": "another"})
    change = connection_edits.put_connection(other.settings, NAME, request)
    await other.make(change)
    assert [problem.code for problem in (await seen(other)).problems] == ["declared_elsewhere"]
    there = await seen(declaring)
    assert (there.ready, there.source, there.model.value) == (True, "env", "another")


async def test_assigned_elsewhere_it_is_refused_here_by_name(
    declaring: Process, other: Process
) -> None:
    """No other connection answers in its place."""
    body = {"agents": {"analyst": {"connection": NAME}}}
    assigned = connection_edits.assign(AssignmentsRequest.model_validate(body))
    await declaring.make(assigned)
    snapshot = await other.adoption.adopt()
    with pytest.raises(ProviderNotReady, match="eu is assigned to the agent analyst"):
        route(snapshot, None, agent="analyst")


async def test_other_changes_go_on_in_both(declaring: Process, other: Process) -> None:
    """Switching away, a policy, a model: whoever makes them."""
    await declaring.switch(NAME)
    await seen(other)
    policy = edits.set_policy(policy_request(hosted_max_tlp="AMBER"))
    await other.make(policy)
    await other.switch("ollama", model="m")
    assert (await declaring.adoption.adopt()).requested.value == "ollama"
    assert declaring.adoption.snapshot.connections[NAME].ready


async def test_a_reset_gives_it_back_to_the_environment_and_keeps_it_known(
    declaring: Process, other: Process
) -> None:
    """What was overridden is as the environment says; what was made at runtime stays as it is."""
    await declaring.switch(NAME, model="another")
    body = {"provider": "vllm", "base_url": "http://127.0.0.1:1/v1", "model": "made"}
    request = ConnectionRequest.model_validate(body)
    await declaring.make(connection_edits.put_connection(declaring.settings, "lab", request))
    assert (await seen(declaring)).model.value == "another"
    await declaring.make(edits.reset())
    there = await seen(declaring)
    assert (there.model.value, there.model.source) == ("gpt-5-soc", "env")
    assert [problem.code for problem in (await seen(other)).problems] == ["declared_elsewhere"]
    assert other.adoption.snapshot.connections["lab"].model.value == "made"
