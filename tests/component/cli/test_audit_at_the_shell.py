"""`aurorasoc audit …`: the log, checked by those who hold a seed and by those who don't."""

import json
import sqlite3
from pathlib import Path

import pytest

from tests.component.cli.conftest import Shell

STRANGER = "another-seed-0123456789-abcdefghijklmnop"


@pytest.fixture
def log(shell: Shell, database_file: Path) -> sqlite3.Connection:
    """Make three entries, and give a hand on the table."""
    for provider in ("ollama", "vllm", "ollama"):
        assert shell("providers", "use", provider).code == 0
    connection = sqlite3.connect(database_file, isolation_level=None)
    connection.execute("PRAGMA foreign_keys=OFF")
    return connection


def _export(shell: Shell, tmp_path: Path) -> Path:
    result = shell("audit", "export")
    assert result.code == 0
    file = tmp_path / "export.jsonl"
    file.write_text(result.out, "ascii")
    return file


def _forget_seeds(shell: Shell) -> None:
    shell.patch.delenv("AURORA_SECRET_KEY")
    shell.patch.delenv("JWT_SECRET_KEY")


def test_a_good_log_holds(shell: Shell, log: sqlite3.Connection) -> None:
    """Exit code 0, and a head to write down."""
    result = shell("audit", "verify")
    (head,) = log.execute("SELECT hash FROM user_audit_log WHERE seq = 3").fetchone()
    log.close()
    assert result.code == 0
    assert "3 entries, the chain holds; authenticity verified." in result.out
    assert f"head 3:{head}" in result.out


def test_an_empty_log_holds(shell: Shell) -> None:
    """There is nothing wrong with it."""
    result = shell("audit", "verify", "--json")
    assert result.code == 0
    assert (result.json["ok"], result.json["entries"]) == (True, 0)


TAMPERINGS = {
    "a changed actor": ("UPDATE user_audit_log SET actor = 'eve' WHERE seq = 2", 2),
    "a changed text": ("UPDATE user_audit_log SET entry = replace(entry, 'vllm', 'ollama')", 2),
    "a changed hash": (
        "UPDATE user_audit_log SET hash = iif(hash LIKE 'f%', 'e', 'f') || substr(hash, 2)",
        1,
    ),
    "a changed MAC": ("UPDATE user_audit_log SET mac = hash WHERE seq = 3", 3),
    "a deleted entry": ("DELETE FROM user_audit_log WHERE seq = 2", 3),
    "a deleted beginning": ("DELETE FROM user_audit_log WHERE seq = 1", 2),
    "a changed time": ("UPDATE user_audit_log SET at_us = at_us + 1 WHERE seq = 2", 2),
}


@pytest.mark.parametrize("tampering", TAMPERINGS)
def test_a_tampered_log_is_a_bad_answer_that_names_the_entry(
    shell: Shell, log: sqlite3.Connection, tampering: str
) -> None:
    """Exit code 1."""
    statement, entry = TAMPERINGS[tampering]
    before = log.execute("SELECT * FROM user_audit_log").fetchall()
    log.execute(statement)
    assert log.execute("SELECT * FROM user_audit_log").fetchall() != before
    log.close()
    result = shell("audit", "verify", "--json")
    assert result.code == 1
    assert result.json["ok"] is False
    assert result.json["fault"].startswith(f"entry {entry}: ")


def test_a_log_that_was_cut_short_holds_without_an_anchor_and_not_with_one(
    shell: Shell, log: sqlite3.Connection
) -> None:
    """A bare chain verifies after its tail is gone: what is known from outside tells."""
    (head,) = log.execute("SELECT hash FROM user_audit_log WHERE seq = 3").fetchone()
    log.execute("DELETE FROM user_audit_log WHERE seq = 3")
    log.close()
    assert shell("audit", "verify").code == 0
    result = shell("audit", "verify", "--anchor", f"3:{head}")
    assert result.code == 1
    assert "cut short" in result.out


def test_anchors_may_be_several(shell: Shell, log: sqlite3.Connection) -> None:
    """All must hold."""
    rows = log.execute("SELECT seq, hash FROM user_audit_log").fetchall()
    log.close()
    good = [f"--anchor={seq}:{digest}" for seq, digest in rows]
    assert shell("audit", "verify", *good).code == 0
    assert shell("audit", "verify", *good, f"--anchor=2:{rows[0][1]}").code == 1


@pytest.mark.parametrize(
    "anchor",
    [
        "",
        "1",
        "a:b",
        ":",
        "-1:ff",
        "²:ff",
    ],
)
def test_an_unreadable_anchor_is_wrong_usage(shell: Shell, anchor: str) -> None:
    """Left out, it would prove nothing."""
    result = shell("audit", "verify", f"--anchor={anchor}")
    assert (result.code, result.out) == (2, "")


def test_an_export_verifies_as_the_database_does(
    shell: Shell, log: sqlite3.Connection, tmp_path: Path
) -> None:
    """Links and MACs, to who holds the seed."""
    log.close()
    file = _export(shell, tmp_path)
    from_file = shell("audit", "verify", "--file", str(file), "--json").json
    assert from_file == shell("audit", "verify", "--json").json
    assert (from_file["entries"], from_file["authenticity"]) == (3, "verified")


def test_an_export_verifies_without_seeds(
    shell: Shell, log: sqlite3.Connection, tmp_path: Path
) -> None:
    """The links hold; who wrote them is not checked, and that is said."""
    log.close()
    file = _export(shell, tmp_path)
    _forget_seeds(shell)
    result = shell("audit", "verify", "--file", str(file), "--json")
    assert result.code == 0
    assert (result.json["entries"], result.json["authenticity"]) == (3, "not checked")


def test_an_export_does_not_verify_to_a_stranger(
    shell: Shell, log: sqlite3.Connection, tmp_path: Path
) -> None:
    """A seed that opens no audit key: either it is the wrong one, or the log is forged."""
    log.close()
    file = _export(shell, tmp_path)
    shell.patch.setenv("AURORA_SECRET_KEY", STRANGER)
    shell.patch.setenv("JWT_SECRET_KEY", STRANGER)
    result = shell("audit", "verify", "--file", str(file), "--json")
    assert result.code == 1
    assert "audit key" in result.json["fault"]


def test_a_tampered_export_is_a_bad_answer(
    shell: Shell, log: sqlite3.Connection, tmp_path: Path
) -> None:
    """With or without seeds."""
    log.close()
    file = _export(shell, tmp_path)
    lines = [json.loads(line) for line in file.read_text("ascii").splitlines()]
    lines[2]["entry"] = lines[2]["entry"].replace("vllm", "deepseek")
    file.write_text("".join(json.dumps(line) + "\n" for line in lines), "ascii")
    with_seeds = shell("audit", "verify", "--file", str(file))
    _forget_seeds(shell)
    assert (with_seeds.code, shell("audit", "verify", "--file", str(file)).code) == (1, 1)


@pytest.mark.parametrize("content", ["nonsense\n", "{}\n", '{"kind": "entry"}\n', "[]\n", "ü\n"])
def test_what_is_no_export_is_wrong_usage(shell: Shell, tmp_path: Path, content: str) -> None:
    """It isn't an empty log that holds."""
    file = tmp_path / "export.jsonl"
    file.write_text(content, "utf-8")
    result = shell("audit", "verify", "--file", str(file))
    assert (result.code, result.out) == (2, "")
