"""What one process of the service has open on a key store, and what it left behind."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

import pytest
from pydantic import SecretStr

from aurorasoc.config.settings import Settings
from aurorasoc.config.settings.vault import VaultSettings
from aurorasoc.config.snapshot import ConnectionConfig, Credential, Snapshot
from aurorasoc.config.vocabulary import ServingBackend
from aurorasoc.core.audit.archive import verify_database
from aurorasoc.core.audit.log import AuditLog
from aurorasoc.core.database.engine import Database
from aurorasoc.core.keyring import Keyring
from aurorasoc.core.open_store import open_secret_store
from aurorasoc.core.vault.store import VaultSecretStore
from aurorasoc.llm.adoption.adopt import Adoption
from aurorasoc.llm.changes import edits, key_edits
from aurorasoc.llm.changes.apply import Changer
from aurorasoc.llm.changes.intents import KeyIntents
from aurorasoc.llm.changes.journal import Journal
from aurorasoc.llm.changes.plan import Change
from aurorasoc.llm.keys.vault_watch import VaultWatch
from tests.examples import config_request, settings
from tests.world.databases import DATABASES, Stored
from tests.world.service import SEED, SESSION_SECRET
from tests.world.vault.server import VaultServer

POLICY: Final = Path(__file__).parents[3] / "src/aurorasoc/core/vault/policy.hcl"
DEEPSEEK: Final = ServingBackend.DEEPSEEK
KEY: Final = "sk-first-0123456789abcdef"
OTHER_KEY: Final = "sk-second-fedcba9876543210"
NAMED: Final = "eu-deepseek"
EITHER: Final = pytest.mark.parametrize("house", [DEEPSEEK.value, NAMED], indirect=True)
"""For tests that hold for a built-in connection, and for one that the environment declares."""

ACTOR: Final = "test-admin"


@dataclass(frozen=True)
class Member:
    """One process: its own snapshot, memory and connections, on a shared database and Vault."""

    settings: Settings
    database: Database
    keyring: Keyring
    store: VaultSecretStore
    adoption: Adoption
    changer: Changer
    intents: KeyIntents
    watch: VaultWatch

    @property
    def connection(self) -> str:
        """The connection whose key is changed: DeepSeek, or the house's named one."""
        return NAMED if NAMED in self.settings.connections else DEEPSEEK.value

    @property
    def config(self) -> ConnectionConfig:
        """The connection as it is in force."""
        return self.adoption.snapshot.connections[self.connection]

    @property
    def credential(self) -> Credential:
        """What its key is now."""
        return self.config.credential

    @property
    def key(self) -> str | None:
        """Its key in force."""
        key = self.credential.api_key
        return key.get_secret_value() if key else None

    async def set_key(self, key: str = KEY) -> Snapshot:
        """Set its key as an admin does."""
        return await self.apply(key_edits.set_key(self.connection, SecretStr(key)))

    async def delete_key(self) -> Snapshot:
        """Delete its key as an admin does."""
        return await self.apply(key_edits.delete_key(self.connection))

    async def configure(self, model: str, key: str = KEY) -> Snapshot:
        """Switch to it with a model and a key, as `PUT /config` does."""
        requested = config_request(self.connection, model=model, api_key=SecretStr(key))
        return await self.apply(edits.switch(self.settings, requested))

    async def apply(self, change: Change) -> Snapshot:
        """Make a change as an admin does."""
        applied = await self.changer.apply(change, actor=ACTOR, if_match=None)
        return applied.snapshot


@asynccontextmanager
async def member(boot: Settings) -> AsyncIterator[Member]:
    """Open what a process has open; its watch is called by the test, without grace or lag."""
    keyring = Keyring(boot.security.seeds)
    store = cast("VaultSecretStore", open_secret_store(boot, keyring))
    database = Database(boot.database_url)
    adoption, journal = Adoption(boot, database, store, keyring), Journal(AuditLog(keyring))
    intents = KeyIntents(database, adoption, store, journal)
    changer = Changer(database, adoption, store, journal, intents)
    watch = VaultWatch(store, intents, boot.vault.poll_interval, grace_us=0, lag_us=0)
    try:
        await adoption.adopt()
        yield Member(boot, database, keyring, store, adoption, changer, intents, watch)
    finally:
        store.close()
        await database.close()


@dataclass(frozen=True)
class House:
    """A state folder with a migrated database, and a KV mount of its own in a Vault."""

    folder: Path
    vault: VaultServer
    mount: str
    variables: Mapping[str, str]
    connection: str = DEEPSEEK.value

    @property
    def stored(self) -> Stored:
        """Its database, seen without the service."""
        return Stored(DATABASES.url(self.folder))

    def boot(self, url: str | None = None, **overrides: str) -> Settings:
        """Return settings whose Vault is reached at `url`: a proxy's, or its own."""
        return settings(
            self.folder, **{**self.variables, "VAULT_ADDR": url or self.vault.url, **overrides}
        )

    def env(self, url: str) -> dict[str, str]:
        """Return a command's variables."""
        return {**self.variables, "VAULT_ADDR": url}

    def put(self, name: str | None = None, **fields: str) -> int:
        """Write a secret as an operator does, by hand."""
        path = f"{_FOLDER}/{name or self.connection}"
        return self.vault.put_secret(path, fields, self.mount)

    def remove(self, name: str | None = None) -> None:
        """Remove a secret as an operator does, with all its versions."""
        self.vault.call("DELETE", f"{self.mount}/metadata/{_FOLDER}/{name or self.connection}")

    def secret(self, name: str | None = None) -> dict[str, Any] | None:
        """Return the newest version's data and metadata, as Vault itself has it."""
        answer = self.vault.ask("GET", f"{self.mount}/data/{_FOLDER}/{name or self.connection}")
        return dict(answer.json()["data"]) if answer.is_success else None

    def in_vault(self) -> tuple[int, str, str] | None:
        """Return version, operation id and key of the connection's secret."""
        secret = self.secret()
        if secret is None:
            return None
        fields = secret["data"]
        return secret["metadata"]["version"], fields.get("operation_id", ""), fields["api_key"]

    def key_version(self) -> tuple[int, str] | None:
        """Return version and operation id that the database pins for the connection."""
        query = "SELECT vault_version, operation_id, token FROM llm_provider_credentials"
        rows = self.stored.rows(f"{query} WHERE provider = '{self.connection}'")
        assert all(token is None for _, _, token in rows), "the database holds a token"
        return (rows[0][0], rows[0][1]) if rows else None

    def intents(self) -> list[tuple[str, str]]:
        """Return kind and operation id of each open intent."""
        rows = self.stored.rows("SELECT kind, operation_id FROM llm_key_intents")
        return [(str(kind), str(operation_id)) for kind, operation_id in rows]

    def actions(self) -> list[str]:
        """Name what the audit log tells, in order."""
        return [
            str(row[0])
            for row in self.stored.rows("SELECT action FROM user_audit_log ORDER BY seq")
        ]

    def revision(self) -> int:
        """Return the stored revision."""
        rows = self.stored.rows("SELECT revision FROM llm_runtime_config")
        return int(rows[0][0]) if rows else 0

    def check_one_truth(self) -> None:
        """Hold it to the promise: nothing open, pin and Vault agree, and the chain verifies."""
        assert self.intents() == []
        held = self.in_vault()
        assert self.key_version() == (None if held is None else held[:2])
        verdict = asyncio.run(verify_database(self.stored.url, {}, [SecretStr(SEED)]))
        assert (verdict.fault, verdict.authenticity) == (None, "verified")


_FOLDER: Final = "aurorasoc/llm-providers"
_NUMBERS: Final = itertools.count(1)


@pytest.fixture
def house(shared_vault: VaultServer, tmp_path: Path, request: pytest.FixtureRequest) -> House:
    """Build a house on the shared Vault."""
    connection = getattr(request, "param", DEEPSEEK.value)
    return build_house(tmp_path / "house", shared_vault, connection)


def build_house(folder: Path, vault: VaultServer, connection: str = DEEPSEEK.value) -> House:
    """Set up a mount, the shipped policy and an AppRole, and migrate a database.

    All three have the mount's name, which no other house of this run has.
    """
    folder.mkdir(parents=True, exist_ok=True)
    mount = f"house-{next(_NUMBERS)}"
    vault.enable_kv(mount)
    policy = POLICY.read_text("utf-8").replace('"secret/', f'"{mount}/')
    vault.write_policy(mount, policy)
    role = vault.approle(mount, mount, "default")
    DATABASES.migrated(folder)
    variables = {
        **DATABASES.variables(folder),
        "AURORA_SECRET_KEY": SEED,
        "JWT_SECRET_KEY": SESSION_SECRET,
        "VAULT_ROLE_ID": role.role_id,
        "VAULT_SECRET_ID": role.secret_id,
        "VAULT_KV_MOUNT": mount,
        "VAULT_POLL_INTERVAL": "0.2",
    }
    if connection == NAMED:  # it leads where DeepSeek does
        variables["LLM_CONNECTION_EU_DEEPSEEK_PROVIDER"] = "deepseek"
    return House(folder, vault, mount, variables, connection)


def vault_settings(url: str, **fields: Any) -> VaultSettings:
    """Return Vault's settings as they would be read, and nothing from the environment."""
    return VaultSettings.model_validate({"addr": url, **fields})
