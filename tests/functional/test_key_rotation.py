"""`aurorasoc keys rotate`, killed again and again: no key is lost, no history, and nothing else.

A killed run is a real process that got SIGKILL: inside a transaction, by its own hand, at a row
that the test chooses; and from outside, at random, while it is at work.
"""

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pytest
from pydantic import SecretStr

from aurorasoc.cli import main
from aurorasoc.core.audit.archive import verify_database
from aurorasoc.core.database.engine import Database
from tests.world.canaries import SOAK
from tests.world.databases import DATABASES, ON_BOTH, SQLITE
from tests.world.sealed import but_for_rotation, install, opened
from tests.world.service import (
    AURORASOC,
    SEED,
    SESSION_SECRET,
    Service,
    service_env,
)

OLD: Final = SEED
NEW: Final = "seed-after-the-rotation-0123456789abcdef"
LOST: Final = "seed-that-nobody-has-any-more-0123456789"
TIMES: Final = 20 if SOAK else 3
AUDIT_KEYS: Final = 40
ROWS: Final = 5 + 1 + AUDIT_KEYS

pytestmark = ON_BOTH

KILLED_AT_A_ROW: Final = """
import asyncio, os, signal, sys
from pydantic import SecretStr
from aurorasoc.core.audit.log import AuditLog
from aurorasoc.core.database.engine import Database
from aurorasoc.core.keyring import Keyring
from aurorasoc.llm.keys.rotation import Rotation

class Deadly(AuditLog):
    left = int(sys.argv[2])
    async def append(self, session, event):
        await super().append(session, event)
        self.left -= 1
        if self.left == 0:  # the row and its entry are written, and not committed
            os.kill(os.getpid(), signal.SIGKILL)

async def rotate():
    database, seeds = Database(sys.argv[1]), [SecretStr(text) for text in sys.argv[3:]]
    keyring = Keyring(seeds)
    await Rotation(database, keyring, Deadly(keyring), "killed").rotate()
    await database.close()

asyncio.run(rotate())
"""


class Installation:
    """A state folder whose keys are sealed under a seed."""

    def __init__(self, folder: Path, sealed_under: str = OLD) -> None:
        """Make it, with a key for each provider that takes one, and many audit keys."""
        self.folder = folder
        self.stored = DATABASES.migrated(folder)
        self.keys = asyncio.run(self._install(sealed_under))
        self.sealed = self.tokens()

    async def _install(self, seed: str) -> dict[str, str]:
        database = Database(self.stored.url)
        keys = await install(database, seed, audit_keys=AUDIT_KEYS)
        await database.close()
        return keys

    def env(self, **variables: str) -> dict[str, str]:
        """Give the environment of an operator who rotates from OLD to NEW."""
        seeds = {"AURORA_SECRET_KEY": NEW, "AURORA_SECRET_KEY_PREVIOUS": OLD}
        return service_env(self.folder, seeds | variables)

    def tokens(self) -> dict[str, str]:
        """Read every token, by its row's name, without holding a writer up."""
        found: dict[str, str] = {}
        read = self.stored.dump()
        for table in ("llm_provider_credentials", "user_audit_keys"):
            token = self.stored.columns(table).index("token")
            found |= {str(row[0]): str(row[token]) for row in read[table]}
        return found

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
        assert self.rotated() == ROWS
        assert opened(self.stored, NEW) == self.keys
        self.verify(NEW)


class Cli:
    """The command line in this process: the exit code, and what was printed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        """Use the test's own environment and output."""
        self._patch, self._capsys = monkeypatch, capsys

    def __call__(self, env: Mapping[str, str], *arguments: str) -> tuple[int, str]:
        """Run a command in exactly this environment, as far as the service reads it."""
        for name in os.environ:
            if name.startswith(("AURORA_", "JWT_", "LLM_", "VAULT_")):
                self._patch.delenv(name)
        for name, value in env.items():
            self._patch.setenv(name, value)
        self._patch.setattr(sys, "argv", ["aurorasoc", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        return int(ended.value.code or 0), self._capsys.readouterr().out

    def json(self, env: Mapping[str, str], *arguments: str) -> tuple[int, Any]:
        """Run a command with `--json`."""
        code, said = self(env, *arguments, "--json")
        return code, json.loads(said)


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    """Give the command line."""
    return Cli(monkeypatch, capsys)


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    """Give an installation that ran on OLD."""
    return Installation(tmp_path / "state")


@pytest.mark.soak
@pytest.mark.parametrize("row", [1 + (ROWS - 1) * n // (TIMES - 1) for n in range(TIMES)])
def test_killed_inside_a_transaction_it_loses_nothing(
    installation: Installation, cli: Cli, row: int
) -> None:
    """SIGKILL between writing a row and committing it: that row is as before, and a run ends it."""
    before = but_for_rotation(installation.stored)
    argv = [sys.executable, "-c", KILLED_AT_A_ROW, installation.stored.url, str(row), NEW, OLD]
    killed = subprocess.run(argv, check=False, timeout=60, env=installation.env())
    assert killed.returncode == -signal.SIGKILL
    assert installation.rotated() == row - 1
    installation.check_whole()
    assert cli(installation.env(), "keys", "rotate")[0] == 0
    installation.check_done()
    assert but_for_rotation(installation.stored) == before


@pytest.mark.soak
def test_killed_at_random_it_loses_nothing(tmp_path: Path, cli: Cli) -> None:
    """SIGKILL from outside at a random row: the command line, again and again, until it is done."""
    reached = []
    for number in range(TIMES):
        installation = Installation(tmp_path / str(number))
        before = but_for_rotation(installation.stored)
        reached.append(kill_at_random(installation))
        installation.check_whole()
        assert cli(installation.env(), "keys", "rotate")[0] == 0
        installation.check_done()
        assert but_for_rotation(installation.stored) == before
    assert any(0 < rows < ROWS for rows in reached), reached


def kill_at_random(installation: Installation) -> int:
    """Rotate, and kill it when a random number of rows is done; give how many really were."""
    wanted = random.SystemRandom().randint(1, ROWS * 3 // 4)
    rotating = subprocess.Popen(
        [*AURORASOC, "keys", "rotate"], env=installation.env(), stdout=subprocess.DEVNULL
    )
    while rotating.poll() is None and installation.rotated() < wanted:
        time.sleep(0.001)
    rotating.kill()
    rotating.wait(30)
    return installation.rotated()


def test_check_says_what_would_be_done_and_changes_nothing(
    installation: Installation, cli: Cli
) -> None:
    """`--check` lists every row that an older seed sealed, and writes not even an entry."""
    before = installation.stored.dump()
    code, said = cli.json(installation.env(), "keys", "rotate", "--check")
    assert (code, said["checked_only"], said["unreadable"]) == (0, True, False)
    assert {item["name"] for item in said["items"]} == set(installation.sealed)
    assert installation.stored.dump() == before


def test_rotation_says_what_it_did(installation: Installation, cli: Cli) -> None:
    """It lists what `--check` announced, and nothing at the second time."""
    _, announced = cli.json(installation.env(), "keys", "rotate", "--check")
    code, said = cli.json(installation.env(), "keys", "rotate")
    assert (code, said["items"]) == (0, announced["items"])
    assert cli.json(installation.env(), "keys", "rotate") == (
        0,
        {"checked_only": False, "items": [], "unreadable": False},
    )


def test_first_secret_key_costs_no_key(tmp_path: Path, cli: Cli) -> None:
    """An installation that ran on JWT_SECRET_KEY keeps every key, also when that changes later."""
    installation = Installation(tmp_path / "state", sealed_under=SESSION_SECRET)
    seeds = {"AURORA_SECRET_KEY": NEW, "AURORA_SECRET_KEY_PREVIOUS": ""}
    env = service_env(installation.folder, seeds)
    assert cli(env, "keys", "doctor")[0] == 1  # works, and asks for a rotation
    assert cli(env, "keys", "rotate")[0] == 0
    installation.check_done()
    moved_on = env | {"JWT_SECRET_KEY": "another-session-secret-0123456789abcdef"}
    code, findings = cli.json(moved_on, "keys", "doctor")
    assert code == 0
    assert {one["state"] for one in findings} == {"sealed under the current seed"}


def test_rows_that_no_seed_opens_are_left_and_told(installation: Installation, cli: Cli) -> None:
    """They stay byte for byte, the exit code is 1, and the doctor says what to do."""
    before = installation.tokens()
    env = installation.env(AURORA_SECRET_KEY_PREVIOUS=LOST)
    code, said = cli.json(env, "keys", "rotate")
    assert (code, said["items"], said["unreadable"]) == (1, [], True)
    assert installation.tokens() == before
    code, findings = cli.json(env, "keys", "doctor")
    assert code == 1
    assert len(findings) == ROWS
    assert all("AURORA_SECRET_KEY_PREVIOUS" in one["advice"] for one in findings)


def test_check_of_unreadable_rows_exits_with_1_too(installation: Installation, cli: Cli) -> None:
    """`--check` can stand in a deployment's gate."""
    env = installation.env(AURORA_SECRET_KEY_PREVIOUS=LOST)
    assert cli(env, "keys", "rotate", "--check")[0] == 1


def test_giving_the_seed_back_heals(installation: Installation, cli: Cli) -> None:
    """After a rotation that found the seed missing, one that has it loses nothing."""
    assert cli(installation.env(AURORA_SECRET_KEY_PREVIOUS=LOST), "keys", "rotate")[0] == 1
    code, _ = cli(installation.env(AURORA_SECRET_KEY_PREVIOUS=f"{LOST},{OLD}"), "keys", "rotate")
    assert code == 0
    assert opened(installation.stored, NEW) == installation.keys
    installation.verify(NEW)


def test_what_is_printed_holds_no_key_and_no_seed(installation: Installation, cli: Cli) -> None:
    """Neither command shows a key, a seed or a token, as text or as JSON."""
    secrets = [*installation.keys.values(), *installation.sealed.values(), OLD, NEW]
    for arguments in (("rotate", "--check"), ("doctor",), ("rotate",), ("doctor",)):
        for form in ((), ("--json",)):
            _, said = cli(installation.env(), "keys", *arguments, *form)
            assert not any(secret in said for secret in secrets)


def test_running_service_goes_on_and_starts_again_without_the_old_seed(tmp_path: Path) -> None:
    """Rotating under a running service changes no revision; a restart needs the new seed alone."""
    Installation(tmp_path / "state")
    seeds = {"AURORA_SECRET_KEY": NEW, "AURORA_SECRET_KEY_PREVIOUS": OLD}
    with Service(tmp_path, {"LLM_BACKEND": "deepseek", **seeds}) as service:
        before = service.inventory()
        assert service.command("keys", "rotate").returncode == 0
        assert service.inventory() == before
    with Service(tmp_path, {"LLM_BACKEND": "deepseek", "AURORA_SECRET_KEY": NEW}) as service:
        assert service.inventory() == before
    assert before["active"]["ready"]
