"""From schema 035 to named connections, and back: no key and no revision is lost.

`tests/data/schema_035` holds what the version before named connections wrote: its rows, with keys
sealed in them or pinned, and its secrets in Vault.
"""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from alembic import command
from alembic.config import Config
from pydantic import SecretStr

from aurorasoc.config.settings import Settings
from aurorasoc.config.snapshot import Snapshot
from aurorasoc.config.vocabulary import BUILT_IN, Tlp
from aurorasoc.core.audit.archive import verify_database
from aurorasoc.core.database.engine import SCHEMA_HEAD
from aurorasoc.core.database.migrations import migrate, scripts
from aurorasoc.core.keyring import Keyring
from aurorasoc.errors import UnknownProvider
from aurorasoc.llm.changes import connection_edits, key_edits
from aurorasoc.llm.changes.history import list_revisions, read_revision
from aurorasoc.llm.changes.requests import ConnectionRequest
from aurorasoc.runtime import Runtime, open_runtime
from tests.examples import SEED, settings
from tests.world import service
from tests.world.databases import DATABASES, ON_BOTH, Stored
from tests.world.sealed import opened
from tests.world.vault.members import OTHER_KEY, House, house, member

__all__ = ["house"]  # pytest finds the fixture here

BEFORE: Final = "035"
WRITTEN: Final = Path(__file__).parents[3] / "data/schema_035"
KEYS: Final = {
    "anthropic": "sk-ant-0123456789abcdef",
    "deepseek": "sk-first-0123456789abcdef",
    "openai": "sk-openai-0123456789abcdef",
}

pytestmark = ON_BOTH


def config(stored: Stored) -> Config:
    """Return Alembic's configuration for a database."""
    alembic = Config()
    alembic.set_main_option("script_location", str(scripts()))
    alembic.attributes["database_url"] = stored.url
    return alembic


def statements(file: str) -> Iterator[str]:
    """Yield what the version before wrote."""
    yield from (WRITTEN / file).read_text("utf-8").splitlines()


@pytest.fixture
def upgraded(tmp_path: Path) -> Stored:
    """Return a database that the version before filled, with keys in it, migrated since."""
    (tmp_path / "state").mkdir()
    stored = Stored(DATABASES.url(tmp_path / "state"))
    command.upgrade(config(stored), BEFORE)
    stored.execute(*statements("keys_in_the_database.sql"))
    migrate(stored.url)
    return stored


def on(stored: Stored, tmp_path: Path) -> Settings:
    """Return settings that lead there, with the seed of that time."""
    return settings(tmp_path, AURORA_DATABASE_URL=stored.url, AURORA_SECRET_KEY=SEED)


def keys_of(snapshot: Snapshot) -> dict[str, str]:
    """Return the stored keys in force."""
    credentials = {name: one.credential for name, one in snapshot.connections.items()}
    return {
        name: credential.api_key.get_secret_value()
        for name, credential in credentials.items()
        if credential.api_key is not None
    }


def models_of(snapshot: Snapshot) -> dict[str, str | None]:
    """Return the models that were set at runtime."""
    models = {name: one.model for name, one in snapshot.connections.items()}
    return {name: model.value for name, model in models.items() if model.source == "runtime"}


def check_what_was_set(snapshot: Snapshot) -> None:
    """Check that models, addresses and policy are those of the version before."""
    assert snapshot.connections.keys() == {*BUILT_IN}
    assert (snapshot.revision, snapshot.requested.value) == (5, "anthropic")
    assert models_of(snapshot) == {
        "deepseek": "deepseek-custom",
        "openai": "gpt-custom",
        "vllm": "mistral-small",
    }
    openai = snapshot.connections["openai"]
    assert (openai.orchestrator_model.value, openai.base_url.value) == (
        "gpt-large",
        "https://gw.example/v1",
    )
    policy = snapshot.policy
    values = (policy.hosted_max_tlp, policy.local_backend, policy.require_tlp)
    assert [one.value for one in values] == [Tlp.AMBER, "ollama", True]


async def test_what_was_set_is_in_force(upgraded: Stored, tmp_path: Path) -> None:
    """With every key, ready to be used, and who set it."""
    assert opened(upgraded, SEED) == KEYS
    async with open_runtime(on(upgraded, tmp_path)) as runtime:
        snapshot = runtime.adoption.snapshot
        inventory = await runtime.admin.inventory()
    check_what_was_set(snapshot)
    assert keys_of(snapshot) == KEYS
    assert all(snapshot.connections[name].ready for name in KEYS)
    setters = {row.connection: row.key_set_by for row in inventory.providers}
    assert {name: setters[name] for name in KEYS} == {
        "anthropic": "carol",
        "deepseek": "bob",
        "openai": "alice",
    }


async def test_the_history_is_whole_and_can_be_gone_back_to(
    upgraded: Stored, tmp_path: Path
) -> None:
    """Each revision can be read, and an old one comes into force with the keys of today."""
    async with open_runtime(on(upgraded, tmp_path)) as runtime:
        assert await _fields_of(runtime, 4) == [
            "backend",
            "providers.vllm.base_url",
            "providers.vllm.model",
        ]
        await runtime.admin.rollback(2, actor="dora")
        snapshot = runtime.adoption.snapshot
        assert (snapshot.revision, snapshot.requested.value) == (6, "deepseek")
        assert models_of(snapshot) == {"deepseek": "deepseek-custom", "openai": "gpt-custom"}
        assert snapshot.policy.hosted_max_tlp.source == "default"
        assert keys_of(snapshot) == KEYS
        assert await _fields_of(runtime, 6) == [
            "backend",
            "hosted_max_tlp",
            "local_backend",
            "providers.vllm.base_url",
            "providers.vllm.model",
            "require_tlp",
        ]


async def _fields_of(runtime: Runtime, revision: int) -> list[str]:
    """Return the fields that a revision changed; the list before it is whole."""
    async with runtime.database.reading() as session:
        page = await list_revisions(session, before=revision + 1, limit=100)
        assert [row.revision for row in page.revisions] == list(range(revision, 0, -1))
        return [one.field for one in (await read_revision(session, revision)).changes]


async def test_the_record_verifies_and_goes_on(upgraded: Stored, tmp_path: Path) -> None:
    """The entries of both versions are one chain."""
    async with open_runtime(on(upgraded, tmp_path)) as runtime:
        await runtime.admin.rollback(2, actor="dora")
    verdict = await verify_database(upgraded.url, {}, [SecretStr(SEED)])
    assert (verdict.fault, verdict.authenticity, verdict.entries) == (None, "verified", 6)


async def test_keys_in_vault_and_an_open_change_outlive_the_upgrade(
    house: House,
) -> None:
    """The change that waited for its key comes into force, in its old form."""
    await asyncio.to_thread(as_written_before, house)
    async with member(house.boot()) as process:
        snapshot = process.adoption.snapshot
        check_what_was_set(snapshot)
        assert keys_of(snapshot) == KEYS
        await process.watch.settle()
        snapshot = process.adoption.snapshot
        assert keys_of(snapshot) == {**KEYS, "deepseek": OTHER_KEY}
        assert (snapshot.revision, snapshot.requested.value) == (6, "deepseek")
        assert models_of(snapshot)["deepseek"] == "deepseek-pending"
    await asyncio.to_thread(house.check_one_truth)


def as_written_before(house: House) -> None:
    """Fill database and Vault as the version before did, and migrate."""
    command.downgrade(config(house.stored), BEFORE)
    house.stored.execute(*statements("keys_in_vault.sql"))
    secrets = json.loads((WRITTEN / "secrets_in_vault.json").read_text("utf-8"))
    for name in ("anthropic", "openai", "deepseek", "deepseek-pending"):
        house.put(name.partition("-")[0], **secrets[name])
    migrate(house.stored.url)


# --- the way down ------------------------------------------------------------------------------

LAB: Final = {"provider": "openai", "base_url": "https://lab.example/v1", "model": "m"}


async def test_the_way_down_and_up_again_loses_no_key_and_no_revision(
    upgraded: Stored, tmp_path: Path
) -> None:
    """A named connection is gone then; its key waits for it, and the history can bring it back."""
    boot = on(upgraded, tmp_path)
    request = ConnectionRequest.model_validate({**LAB, "api_key": OTHER_KEY, "max_tlp": "RED"})
    async with open_runtime(boot) as runtime:
        change = connection_edits.put_connection(boot, "lab", request)
        await runtime.admin.change(change, actor="dora")
    await asyncio.to_thread(command.downgrade, config(upgraded), BEFORE)
    assert "kind" not in upgraded.columns("llm_provider_config")
    assert opened(upgraded, SEED) == {**KEYS, "lab": OTHER_KEY}
    await asyncio.to_thread(migrate, upgraded.url)
    assert upgraded.rows("SELECT version_num FROM aurorasoc_alembic_version") == [(SCHEMA_HEAD,)]
    async with open_runtime(boot) as runtime:
        assert keys_of(runtime.adoption.snapshot) == KEYS
        with pytest.raises(UnknownProvider):
            await runtime.admin.change(key_edits.delete_key("lab"), actor="dora")
        await runtime.admin.rollback(6, actor="dora")
        lab = runtime.adoption.snapshot.connections["lab"]
        assert (lab.ready, lab.max_tlp.value, lab.model.value) == (True, Tlp.RED, "m")
        assert keys_of(runtime.adoption.snapshot) == {**KEYS, "lab": OTHER_KEY}


def test_seeds_of_that_time_are_known_here() -> None:
    """The rows in `tests/data` were sealed under the seeds of the tests: both still open them."""
    files = {"keys_in_the_database.sql": SEED, "keys_in_vault.sql": service.SEED}
    for file, seed in files.items():
        tokens = [line.split("'")[3] for line in statements(file) if "INTO user_audit_keys" in line]
        assert len(Keyring([SecretStr(seed)]).open("audit-key", tokens[0])) == 32
