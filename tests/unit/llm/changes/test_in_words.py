"""What a change did, in words."""

import pytest

from aurorasoc.core.audit.actions import Action
from aurorasoc.llm.changes.in_words import (
    MOST_WORDS,
    Difference,
    KeyRecord,
    summary_of,
    value_in_words,
)

CONFIG = Action.CONFIG_CHANGED.value
LONG = "https://host.example/" + "a" * 500


@pytest.mark.parametrize(
    ("changes", "summary"),
    [
        (
            [Difference("providers.vllm.model", "a", "b")],
            ["vllm: model a → b"],
        ),
        (
            [
                Difference("providers.vllm.base_url", None, "http://h/v1"),
                Difference("providers.vllm.options.temperature", None, 0.2),
            ],
            ["vllm: base_url boot default → http://h/v1, options.temperature none → 0.2"],
        ),
        (
            [
                Difference("hosted_max_tlp", "GREEN", "AMBER"),
                Difference("require_tlp", None, after=True),
            ],
            ["policy: hosted_max_tlp GREEN → AMBER, require_tlp boot default → yes"],
        ),
        (
            [Difference("fallbacks", None, ("eu", "lab")), Difference("on_refusal", None, "local")],
            ["policy: fallbacks boot default → eu, lab, on_refusal boot default → local"],
        ),
        (
            [
                Difference("assignments.agents.triage.fallbacks", None, ()),
                Difference("assignments.roles.specialist.fallbacks", ("eu", "lab"), None),
            ],
            [
                "agent triage: fallbacks the policy's → none",
                "role specialist: fallbacks eu, lab → the policy's",
            ],
        ),
        ([Difference("backend", None, "deepseek")], ["active connection: boot default → deepseek"]),
        (
            [
                Difference("assignments.roles.orchestrator.connection", None, "lab"),
                Difference("assignments.agents.triage.model", "m", None),
            ],
            ["role orchestrator: connection none → lab", "agent triage: model m → none"],
        ),
        (
            [
                Difference("providers.lab.from_env", None, after=True),
                Difference("providers.lab.provider", None, "vllm"),
            ],
            ["lab: added (vllm)"],
        ),
        ([Difference("providers.lab.provider", "vllm", None)], ["lab: removed (vllm)"]),
    ],
    ids=lambda value: value[0].field if isinstance(value[0], Difference) else "",
)
def test_a_change_is_said_by_what_it_is_of(changes: list[Difference], summary: list[str]) -> None:
    """Connection, policy, choice, role and agent each have their own line."""
    assert summary_of(CONFIG, "vllm", changes) == summary


@pytest.mark.parametrize(
    ("action", "key", "words"),
    [
        (Action.KEY_SET, KeyRecord(), "key of deepseek set"),
        (Action.KEY_DELETED, KeyRecord(key_removed="deepseek"), "key of deepseek removed"),
        (Action.KEY_CHANGED_IN_VAULT, KeyRecord(), "key of deepseek changed in Vault"),
        (Action.CONFIG_CHANGED, KeyRecord(key_set="deepseek"), "key of deepseek set"),
        (Action.CONFIG_CHANGED, KeyRecord(), "key of deepseek changed"),
    ],
)
def test_a_change_of_a_key_is_said_though_no_field_shows_it(
    action: Action, key: KeyRecord, words: str
) -> None:
    """By the action, by what was recorded, or because nothing else can have changed."""
    assert summary_of(action.value, "deepseek", [], key) == [words]


def test_a_key_that_came_with_a_switch_is_said_beside_it() -> None:
    """The switch isn't all that happened."""
    change = [Difference("backend", "vllm", "deepseek")]
    summary = summary_of(CONFIG, "deepseek", change, KeyRecord(key_set="deepseek"))
    assert summary == ["active connection: vllm → deepseek", "key of deepseek set"]


def test_a_summary_is_bounded() -> None:
    """A rollback may change a hundred agents, and an address may have 2,048 characters."""
    many = [Difference(f"assignments.agents.a{n}.connection", None, "lab") for n in range(100)]
    assert summary_of(CONFIG, "llm", many)[MOST_WORDS:] == ["and 94 more"]
    (line,) = summary_of(CONFIG, "vllm", [Difference("providers.vllm.base_url", LONG, None)])
    assert len(line) < 150


def test_what_has_no_boot_default_is_said_to_be_none() -> None:
    """An assignment and an option come from nowhere else than from an admin."""
    assert value_in_words("assignments.roles.specialist.model", None) == "none"
    assert value_in_words("providers.vllm.model", None) == "boot default"


def test_a_stop_is_said_by_its_state_and_why() -> None:
    """The entry itself says by whom and when; nobody has to say why."""
    changes = [
        Difference("hosted_traffic.by", None, "alice"),
        Difference("hosted_traffic.reason", None, "breach"),
        Difference("hosted_traffic.state", "allowed", "stopped"),
    ]
    stopped = Action.HOSTED_STOPPED.value
    step = "hosted traffic: allowed → stopped"
    assert summary_of(stopped, "llm", changes) == [step]
    assert summary_of(stopped, "llm", changes, reason="breach") == [f"{step} (breach)"]


def test_why_hosted_traffic_is_stopped_is_said_of_no_other_change() -> None:
    """The stop stays in the configuration while others change it."""
    changes = [Difference("providers.vllm.model", "a", "b")]
    assert summary_of(CONFIG, "vllm", changes, reason="breach") == ["vllm: model a → b"]
