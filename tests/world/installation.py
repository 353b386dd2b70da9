"""An installation whose keys are sealed under an old seed, and whose operator has a new one."""

import asyncio
from pathlib import Path
from typing import Final

from pydantic import SecretStr

from aurorasoc.core.audit.archive import verify_database
from aurorasoc.core.database.engine import Database
from tests.world.databases import DATABASES, SQLITE
from tests.world.sealed import ORIGINS, install, opened
from tests.world.service import SEED, SESSION_SECRET, service_env

OLD: Final = SEED
NEW: Final = "seed-after-the-rotation-0123456789abcdef"


class Installation:
    """A state folder whose keys are sealed under a seed."""

    def __init__(self, folder: Path, sealed_under: str = OLD, *, audit_keys: int = 2) -> None:
        """Make it, with a key for each provider that takes one, and further audit keys."""
        self.folder = folder
        self.stored = DATABASES.migrated(folder)
        self.keys = asyncio.run(self._install(sealed_under, audit_keys))
        self.sealed = self.tokens()
        self.rows = len(ORIGINS) + 1 + audit_keys

    async def _install(self, seed: str, audit_keys: int) -> dict[str, str]:
        database = Database(self.stored.url)
        keys = await install(database, seed, audit_keys=audit_keys)
        await database.close()
        return keys

    def variables(self, **overrides: str) -> dict[str, str]:
        """Return what an operator sets who rotates from OLD to NEW."""
        return {
            **DATABASES.variables(self.folder),
            "AURORA_STATE_DIR": str(self.folder),
            "JWT_SECRET_KEY": SESSION_SECRET,
            "AURORA_SECRET_KEY": NEW,
            "AURORA_SECRET_KEY_PREVIOUS": OLD,
            **overrides,
        }

    def env(self) -> dict[str, str]:
        """Return the whole environment of a process that rotates."""
        return service_env(self.folder, self.variables())

    def tokens(self) -> dict[str, str]:
        """Read every token, by its row's name, without holding a writer up."""
        keys = self.stored.rows("SELECT provider, token FROM llm_provider_credentials")
        wrapped = self.stored.rows("SELECT key_id, token FROM user_audit_keys")
        return {str(name): str(token) for name, token in keys + wrapped}

    def rotated(self) -> int:
        """Count the rows that are no longer as they were."""
        return len(set(self.tokens().items()) - set(self.sealed.items()))

    def verify(self, *seeds: str) -> None:
        """Walk the audit chain with these seeds: every link and every MAC must hold."""
        keys = [SecretStr(seed) for seed in seeds]
        verdict = asyncio.run(verify_database(self.stored.url, {}, keys))
        assert (verdict.fault, verdict.authenticity) == (None, "verified")

    def check_whole(self) -> None:
        """Hold it to the promise after a kill: every key and all history are there."""
        if self.stored.kind == SQLITE:
            assert self.stored.rows("PRAGMA integrity_check") == [("ok",)]
        assert opened(self.stored, NEW, OLD) == self.keys
        self.verify(NEW, OLD)

    def check_done(self) -> None:
        """Hold it to the promise after a rotation: the old seed isn't needed for anything."""
        assert self.rotated() == self.rows
        assert opened(self.stored, NEW) == self.keys
        self.verify(NEW)
