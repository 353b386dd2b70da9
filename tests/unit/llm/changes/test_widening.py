"""What a change lets data do that it may not do now."""

from pathlib import Path
from typing import Any

import pytest

from aurorasoc.config.assignments import Assignment, Assignments
from aurorasoc.llm.adoption.stored import ConnectionChoice, StoredConfig
from aurorasoc.llm.changes.widening import widening_of
from tests.examples import settings, snapshot

NOW = StoredConfig()


def widened(tmp_path: Path, before: StoredConfig, after: StoredConfig) -> list[str]:
    """Say what a change from one to the other widens."""
    boot = settings(tmp_path)
    return widening_of(snapshot(boot, before), snapshot(boot, after))


def with_lab(**values: Any) -> StoredConfig:
    """Return a configuration with a connection that was added."""
    return StoredConfig(providers={"lab": ConnectionChoice(**{"provider": "vllm", **values})})


@pytest.mark.parametrize(
    ("before", "after", "sentences"),
    [
        (
            with_lab(max_tlp="GREEN"),
            with_lab(max_tlp="AMBER+STRICT"),
            ["Data that is AMBER or AMBER+STRICT may then go to lab. Now it may not."],
        ),
        (
            with_lab(max_tlp="RED"),
            with_lab(),
            [],
        ),
        (
            with_lab(max_tlp="NONE"),
            with_lab(),
            [
                "Data that is CLEAR or GREEN may then go to lab. Now it may not.",
                (
                    "Data that is AMBER, AMBER+STRICT or RED may then go to lab, "
                    "while the server is local. Now it may not."
                ),
            ],
        ),
        (
            with_lab(),
            with_lab(max_tlp="RED"),
            [
                (
                    "Data that is AMBER, AMBER+STRICT or RED may then go to lab "
                    "wherever the server is. Now only while it is local."
                )
            ],
        ),
        (NOW, with_lab(), []),
        (
            NOW,
            with_lab(max_tlp="CLEAR"),
            ["Data that is unlabelled or CLEAR may then go to lab. Now it may not."],
        ),
        (StoredConfig(hosted_max_tlp="RED"), NOW, []),
        (NOW, StoredConfig(require_tlp=True), []),
        (
            StoredConfig(require_tlp=True),
            NOW,
            [
                (
                    "Data that is unlabelled may then go to ollama, vllm, openai, deepseek, gemini "
                    "and anthropic. Now it may not."
                )
            ],
        ),
    ],
)
def test_each_label_that_may_travel_further_is_named(
    tmp_path: Path, before: StoredConfig, after: StoredConfig, sentences: list[str]
) -> None:
    """And nothing else."""
    assert widened(tmp_path, before, after) == sentences


@pytest.mark.parametrize(
    ("use", "asked"),
    [
        ({"backend": "vllm"}, True),
        ({"backend": "auto"}, True),
        ({"backend": "ollama", "local_backend": "vllm"}, True),
        (
            {
                "backend": "ollama",
                "assignments": Assignments(agents={"triage": Assignment("vllm")}),
            },
            True,
        ),
        ({"backend": "ollama"}, False),
    ],
    ids=["active", "automatic", "local backend", "assigned", "nobody's"],
)
def test_another_address_of_what_is_in_use_moves_data(
    tmp_path: Path, use: dict[str, Any], *, asked: bool
) -> None:
    """A path below the same address doesn't; nor does one that nobody uses."""
    before = StoredConfig(**use)
    there = StoredConfig(**use, providers={"vllm": ConnectionChoice(base_url="http://10.0.0.1/v1")})
    path = StoredConfig(
        **use, providers={"vllm": ConnectionChoice(base_url="http://localhost:8000/v2")}
    )
    sentence = (
        "Data for vllm then goes to http://10.0.0.1:80. Now it goes to http://localhost:8000."
    )
    assert widened(tmp_path, before, there) == ([sentence] if asked else [])
    assert widened(tmp_path, before, path) == []
