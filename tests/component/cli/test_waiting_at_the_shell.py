"""`--wait` and `--test`: a change is tested before, and adopted everywhere after."""

import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from tests.component.cli.conftest import Shell
from tests.examples import API_KEY
from tests.world.vendor import Fault, Refusal, VendorServer

ROW = (
    "INSERT INTO llm_instances (instance, kind, name, host, revision, fingerprint, adopted_us, "
    "feed, key_ids, seen_us) VALUES ('agent-1', 'agent', 'triage', 'h', 0, '', 0, 'poll', '', ?)"
)
CHANGES = [
    ("providers", "use", "ollama"),
    ("key", "set", "openai"),
    ("key", "delete", "openai"),
    ("connections", "set", "openai", "--model", "m"),
    ("assignments", "set", "--role", "orchestrator=ollama"),
    ("policy", "set", "--require-tlp"),
    ("hosted", "stop"),
]


@pytest.fixture
def straggler(database_file: Path) -> str:
    """Add a live process that adopts nothing."""
    with closing(sqlite3.connect(database_file)) as database, database:
        database.execute(ROW, (time.time_ns() // 1000,))
    return "agent-1"


@pytest.mark.parametrize("arguments", CHANGES, ids=" ".join)
def test_a_change_that_all_have_adopted_says_so(shell: Shell, arguments: tuple[str, ...]) -> None:
    """Exit code 0; who doesn't ask isn't told."""
    result = shell(*arguments, "--wait", "5", stdin=API_KEY)
    assert result.code == 0, result.err
    assert "Adopted by all live processes." in result.out
    assert "adoption" not in shell(*arguments, "--json", stdin=API_KEY).json


def test_a_change_that_a_process_has_not_adopted_exits_with_1(shell: Shell, straggler: str) -> None:
    """It is made, and the process is named."""
    result = shell("providers", "use", "ollama", "--wait", "0")
    assert result.code == 1
    assert f"Not adopted yet by {straggler}." in result.out
    answer = shell("providers", "use", "vllm", "--wait", "0", "--json").json
    assert answer["adoption"] == {"adopted": False, "pending": [straggler]}
    assert shell("providers", "list").out.startswith("revision 2, active: vllm\n")


@pytest.mark.usefixtures("straggler")
def test_whoever_replaces_a_key_is_told_whether_the_old_one_is_in_use(shell: Shell) -> None:
    """That is the moment at which it can be revoked."""
    shell("key", "set", "deepseek", stdin=f"{API_KEY}-never-sent")
    result = shell("key", "set", "deepseek", "--wait", "0", stdin=f"{API_KEY}-new")
    assert "A process that hasn't adopted yet may still use the old key." in result.out
    assert "No live process has sent the old key since it started." in result.out
    answer = shell("key", "delete", "deepseek", "--wait", "0", "--json").json
    assert (answer["old_key_last_used_at"], "old_key_tags" in answer) == (None, False)


@pytest.mark.parametrize(
    ("fault", "code", "revision"),
    [(Fault(), 0, 1), (Fault(refusal=Refusal.UNKNOWN_MODEL), 1, 0)],
    ids=["passes", "fails"],
)
def test_a_switch_can_be_tested_first(
    shell: Shell, ollama: VendorServer, fault: Fault, code: int, revision: int
) -> None:
    """One that fails changes nothing, and the exit code is that of a bad answer."""
    ollama.faults.set(fault)
    result = shell("providers", "use", "ollama", "--test")
    assert (result.code, bool(ollama.requests)) == (code, True)
    assert shell("providers", "list").out.startswith(f"revision {revision},")


@pytest.mark.parametrize("seconds", ["-1", "61", "nan", "soon"])
def test_a_wait_is_bounded(shell: Shell, seconds: str) -> None:
    """As over REST."""
    result = shell("providers", "use", "ollama", "--wait", seconds)
    assert (result.code, "--wait" in result.error) == (2, True)
