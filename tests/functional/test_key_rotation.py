"""`aurorasoc keys rotate`, killed again and again: no key is lost, no history, and nothing else.

A killed run is a real process that got SIGKILL: inside a transaction, by its own hand, at a row
that the test chooses; and from outside, at random, while it is at work.
"""

import asyncio
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

import pytest

from aurorasoc.runtime import open_runtime
from tests.examples import settings
from tests.world.canaries import SOAK
from tests.world.databases import ON_BOTH
from tests.world.forked import Forked, run_program
from tests.world.installation import NEW, OLD, Installation
from tests.world.sealed import ORIGINS, but_for_rotation
from tests.world.service import AURORASOC, run_command
from tests.world.shell import Shell

AUDIT_KEYS: Final = 40
ROWS: Final = len(ORIGINS) + 1 + AUDIT_KEYS
CHOSEN: Final = 20 if SOAK else 2
"""How many rows a run is killed at."""

TIMES: Final = 20 if SOAK else 1
"""How often a run is killed at random…"""

TRIES: Final = TIMES + 20
"""…and how often at most until one of them was killed midway."""

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


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    """Return a shell for the run that is not killed."""
    return Shell(monkeypatch, capsys)


@pytest.mark.soak
@pytest.mark.parametrize("row", [1 + (ROWS - 1) * n // (CHOSEN - 1) for n in range(CHOSEN)])
def test_killed_inside_a_transaction_it_loses_nothing(
    tmp_path: Path, shell: Shell, row: int
) -> None:
    """SIGKILL between writing a row and committing it: that row is as before, and a run ends it."""
    installation = Installation(tmp_path / "state", audit_keys=AUDIT_KEYS)
    before = but_for_rotation(installation.stored)
    argv = [sys.executable, "-c", KILLED_AT_A_ROW, installation.stored.url, str(row), NEW, OLD]
    killed = run_program(argv, env=installation.env())
    assert killed.returncode == -signal.SIGKILL
    assert installation.rotated() == row - 1
    installation.check_whole()
    rotate_to_the_end(installation, shell)
    assert but_for_rotation(installation.stored) == before


@pytest.mark.soak
def test_killed_at_random_it_loses_nothing(tmp_path: Path, shell: Shell) -> None:
    """SIGKILL from outside at a random row: the command line, again and again, until it is done."""
    reached: list[int] = []
    while len(reached) < TIMES or not any(0 < rows < ROWS for rows in reached):
        assert len(reached) < TRIES, f"no run was killed midway: {reached}"
        installation = Installation(tmp_path / str(len(reached)), audit_keys=AUDIT_KEYS)
        before = but_for_rotation(installation.stored)
        reached.append(kill_at_random(installation))
        installation.check_whole()
        rotate_to_the_end(installation, shell)
        assert but_for_rotation(installation.stored) == before


def kill_at_random(installation: Installation) -> int:
    """Rotate, and kill it when a random number of rows is done; give how many really were."""
    threshold = random.SystemRandom().randint(1, ROWS // 2)
    rotating = Forked[bytes](
        [*AURORASOC, "keys", "rotate"], env=installation.env(), stdout=subprocess.DEVNULL
    )
    try:
        while rotating.poll() is None and installation.rotated() < threshold:
            time.sleep(0.001)
    finally:
        rotating.kill()
        rotating.wait(60)
    return installation.rotated()


def rotate_to_the_end(installation: Installation, shell: Shell) -> None:
    """Run the command again, and hold it to its promise."""
    outcome = shell.within(installation.variables())("keys", "rotate")
    assert outcome.code == 0, outcome.err
    installation.check_done()


async def test_running_service_goes_on_and_starts_again_without_the_old_seed(
    tmp_path: Path,
) -> None:
    """Rotating under a running service changes no revision; a restart needs the new seed alone."""
    installation = await asyncio.to_thread(Installation, tmp_path / "state")
    seeds = installation.variables(LLM_BACKEND="deepseek")
    async with open_runtime(settings(installation.folder, **seeds)) as running:
        before = await running.admin.inventory()
        rotated = await asyncio.to_thread(
            run_command, "keys", "rotate", env=installation.env(), cwd=tmp_path
        )
        assert rotated.returncode == 0, rotated.stderr
        assert await running.admin.inventory() == before
    await asyncio.to_thread(installation.check_done)
    alone = seeds | {"AURORA_SECRET_KEY_PREVIOUS": ""}
    async with open_runtime(settings(installation.folder, **alone)) as restarted:
        assert await restarted.admin.inventory() == before
    assert before.active.ready
