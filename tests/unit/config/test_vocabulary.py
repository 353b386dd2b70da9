"""The words that settings, snapshots and policy share."""

from typing import get_args

from aurorasoc.config.settings.llm import connection_settings_classes
from aurorasoc.config.vocabulary import ServingBackend, Tlp, TlpLabel


def test_backends_are_those_of_the_design() -> None:
    """Six providers, under the names used in URLs and variables."""
    assert set(ServingBackend) == {"anthropic", "deepseek", "gemini", "ollama", "openai", "vllm"}


def test_every_backend_has_a_settings_class() -> None:
    """A provider without one could not be configured."""
    assert connection_settings_classes().keys() == set(ServingBackend)


def test_labels_are_ranked_from_least_to_most_restricted() -> None:
    """TLP 2.0, with NONE below all of it."""
    ordered = ["NONE", "CLEAR", "GREEN", "AMBER", "AMBER+STRICT", "RED"]
    assert [t.value for t in sorted(Tlp, key=lambda t: t.rank)] == ordered


def test_a_request_may_carry_any_label_but_none() -> None:
    """NONE is a limit, not a label of the standard."""
    assert set(get_args(TlpLabel)) == set(Tlp) - {Tlp.NONE}
