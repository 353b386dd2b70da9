"""`aurorasoc history …`, `rollback`, `reset`, `fleet` and `models`."""

import json
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from tests.component.cli.conftest import Shell
from tests.examples import API_KEY
from tests.world.processes import free_port
from tests.world.vendor import Fault, Refusal, VendorServer

AGENT = (
    "INSERT INTO llm_instances (instance, kind, name, host, revision, fingerprint, adopted_us, "
    "feed, key_ids, seen_us) VALUES ('agent-1', 'agent', 'triage', 'h', 0, '', 0, 'poll', '', ?)"
)


@pytest.fixture
def changed(shell: Shell) -> Shell:
    """Return a shell in which three changes were made."""
    shell("providers", "use", "ollama", "--model", "one")
    shell("policy", "set", "--require-tlp")
    shell("providers", "use", "ollama", "--model", "two")
    return shell


def test_the_history_lists_who_changed_what_newest_first(changed: Shell) -> None:
    """A page at a time; the next one is named."""
    header, *lines, older = changed("history", "list", "--limit", "2").out.splitlines()
    assert header.split() == ["REVISION", "AT", "ACTOR", "ACTION", "CHANGED"]
    assert [line.split()[0] for line in lines] == ["3", "2"]
    assert [line.split(None, 4)[4] for line in lines] == [
        "ollama: model one → two",
        "policy: require_tlp boot default → yes",
    ]
    assert lines[0].split()[2].startswith("cli:")
    assert older == "Older ones: --before 2"
    page = changed("history", "list", "--before", "2", "--json").json
    assert [one["revision"] for one in page["revisions"]] == [1]


def test_a_revision_says_what_it_changed(changed: Shell) -> None:
    """Each field, before and after."""
    _, *lines = changed("history", "show", "3").out.splitlines()
    assert lines == ["providers.ollama.model: one -> two"]
    detail = changed("history", "show", "2", "--json").json
    assert detail["changes"] == [{"field": "require_tlp", "before": None, "after": True}]


def test_a_key_is_listed_alone_and_beside_a_switch(shell: Shell) -> None:
    """The fields of a revision don't show it."""
    shell("key", "set", "deepseek", stdin=API_KEY)
    shell("providers", "use", "deepseek", "--key", stdin=f"{API_KEY}-new")
    shell("key", "delete", "openai")
    page = shell("history", "list", "--json").json
    assert [one["summary"] for one in page["revisions"]] == [
        ["active connection: boot default → deepseek", "key of deepseek set"],
        ["key of deepseek set"],
    ]


def test_what_has_no_boot_default_is_said_to_have_had_none(changed: Shell) -> None:
    """An assignment and an option come from nowhere else than from an admin."""
    changed("assignments", "set", "--role", "orchestrator=ollama")
    changed("connections", "set", "ollama", "--option", "temperature=0.2")
    lines = [changed("history", "show", number).out.splitlines()[1] for number in ("4", "5")]
    assert lines == [
        "assignments.roles.orchestrator.connection: none -> ollama",
        "providers.ollama.options.temperature: none -> 0.2",
    ]


def test_a_reset_shows_what_changes_of_what_is_in_force_and_asks(changed: Shell) -> None:
    """Boot defaults by their values; the policy stays."""
    result = changed("reset", typed="y\n")
    assert result.out.splitlines() == [
        "backend: ollama -> vllm",
        "providers.ollama.model: two -> granite4:8b",
        "providers.ollama.orchestrator_model: two -> granite4:dense",
        "revision 4, active: vllm granite-soc-specialist",
    ]
    assert result.err == "Go back to the boot defaults? [y/N] "
    assert changed("policy", "show", "--json").json["require_tlp"] is True
    again = changed("reset").out.splitlines()
    assert again[0] == "Nothing changed: that was set already."


def test_a_reset_that_nobody_agreed_to_changes_nothing(changed: Shell) -> None:
    """Without a terminal, it has to be said beforehand."""
    assert changed("reset", typed="n\n").code == 1
    refused = changed("reset")
    assert (refused.code, "--yes" in refused.error) == (2, True)
    assert changed("providers", "list", "--json").json["revision"] == 3
    assert changed("reset", "--yes", "--json").json["revision"] == 4


@pytest.mark.usefixtures("libraries")
def test_a_reset_that_fails_its_test_changes_nothing(changed: Shell) -> None:
    """The boot default doesn't answer there."""
    changed.patch.setenv("LLM_VLLM_BASE_URL", f"http://127.0.0.1:{free_port()}/v1")
    changed.patch.setenv("LLM_MAX_RETRIES", "0")
    result = changed("reset", "--test", "--yes")
    assert (result.code, "Nothing was changed." in result.error) == (1, True)
    assert changed("providers", "list", "--json").json["revision"] == 3


@pytest.mark.parametrize("command", [("history", "show"), ("rollback",)], ids=" ".join)
@pytest.mark.parametrize("revision", ["0", "9", "99999999999999999999", "latest"])
def test_a_revision_that_is_none_is_refused(
    changed: Shell, command: tuple[str, ...], revision: str
) -> None:
    """In one line, with exit code 2."""
    result = changed(*command, revision)
    assert (result.code, result.out) == (2, "")
    assert result.error.startswith("aurorasoc: ")


def test_the_fleet_says_who_runs_what(shell: Shell, database_file: Path) -> None:
    """A process that lags behind is marked; this command isn't one of them."""
    assert shell("fleet").out == "revision 0, live processes: 0\n"
    with closing(sqlite3.connect(database_file)) as database, database:
        database.execute(AGENT, (time.time_ns() // 1000,))
    shell("providers", "use", "ollama")
    head, header, line = shell("fleet").out.splitlines()
    assert head == "revision 1, live processes: 1 (1 behind)"
    assert header.split()[:3] == ["STATE", "KIND", "NAME"]
    assert line.split()[:5] == ["behind", "agent", "triage", "h", "0"]
    assert shell("fleet", "--json").json["instances"][0]["state"] == "behind"


def test_the_fleet_says_who_cannot_call_and_what_differs(shell: Shell, database_file: Path) -> None:
    """Below its row; the line above the table counts it."""
    lacks = [{"connection": "vllm", "code": "address_not_allowed", "detail": "Name it there."}]
    with closing(sqlite3.connect(database_file)) as database, database:
        database.execute(AGENT, (time.time_ns() // 1000,))
        database.execute(
            "UPDATE llm_instances SET fingerprint = 'f', hindrances = ?, settings = ?",
            (json.dumps(lacks), json.dumps({"backend": "0" * 8})),
        )
    head, _, _, *details = shell("fleet").out.splitlines()
    assert head == "revision 0, live processes: 1 (1 diverged, 1 can't call)"
    assert details[0] == "    can't call vllm: Name it there."
    assert "LLM_BACKEND" in details[1]


def test_models_are_listed_as_the_provider_does(shell: Shell, ollama: VendorServer) -> None:
    """One line each; a provider that fails is a bad answer."""
    listed = shell("models", "ollama")
    assert listed.code == 0, listed.err
    assert listed.out.splitlines() == shell("models", "ollama", "--json").json["models"]
    ollama.faults.set(Fault(refusal=Refusal.BAD_KEY))
    assert shell("models", "ollama").code == 1
    assert shell("models", "nonesuch").code == 2
