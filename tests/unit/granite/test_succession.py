"""Succession: who is asked after a failure, in the configured order, under every label."""

from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given

from aurorasoc.config.assignments import Assignment, Assignments
from aurorasoc.config.hosted_traffic import HostedTraffic
from aurorasoc.config.settings import Settings
from aurorasoc.config.vocabulary import ServingBackend, Tlp
from aurorasoc.errors import BackendUnavailable, ProviderNotReady, TlpRefused
from aurorasoc.granite.sensitivity import Route, passage, route
from aurorasoc.granite.succession import fallbacks_of, successors
from aurorasoc.llm.adoption.stored import ConnectionChoice, StoredConfig
from tests.configurations import (
    Asker,
    askers,
    boot,
    configurations,
    many,
    may_have,
    ollama_is_found,
)
from tests.examples import settings, snapshot

EU: Final = ConnectionChoice(provider=ServingBackend.OPENAI, max_tlp="AMBER")
STORED: Final = StoredConfig(
    backend="deepseek", local_backend="vllm", providers={"eu": EU}, fallbacks=("eu", "vllm")
)

__all__ = ["boot", "ollama_is_found"]  # pytest finds them here

pytestmark = pytest.mark.usefixtures("ollama_is_found")


@pytest.mark.soak
@given(configurations, askers)
@many
def test_no_successor_may_not_have_the_label(
    boot: Settings, stored: StoredConfig, asker: Asker
) -> None:
    """And one that may have it only while it is local is restricted to that."""
    composed = snapshot(boot, stored)
    for one in successors(composed, *asker):
        assert passage(composed, composed.connections[one.connection], asker[0]) != "forbidden"
        may = may_have(stored, one.connection, asker[0])
        assert may == "yes" or (may == "if local" and one.restricted)


@pytest.mark.soak
@given(configurations, askers)
@many
def test_successors_keep_the_configured_order(
    boot: Settings, stored: StoredConfig, asker: Asker
) -> None:
    """None is asked twice, and the first connection isn't asked again."""
    composed = snapshot(boot, stored)
    names = [one.connection for one in successors(composed, *asker)]
    configured = fallbacks_of(composed, asker[1], asker[2])
    assert names == [name for name in configured if name in names]
    try:
        first = route(composed, *asker).connection
    except (BackendUnavailable, ProviderNotReady, TlpRefused):
        return
    assert len({first, *names}) == 1 + len(names)


@pytest.mark.soak
@given(configurations, askers)
@many
def test_no_fallback_that_may_be_asked_is_left_out(
    boot: Settings, stored: StoredConfig, asker: Asker
) -> None:
    """Only the first connection, unknown names, and those that may not have the label."""
    composed = snapshot(boot, stored)
    try:
        first = route(composed, *asker).connection
    except TlpRefused:
        assert successors(composed, *asker) == ()
        return
    except (BackendUnavailable, ProviderNotReady):
        first = ""
    expected = {
        name
        for name in fallbacks_of(composed, asker[1], asker[2])
        if name in composed.connections and name != first
        if may_have(stored, name, asker[0]) != "no"
    }
    assert {one.connection for one in successors(composed, *asker)} == expected


def test_an_assignments_list_counts_before_the_policys(boot: Settings) -> None:
    """Without a list of its own, an assignment has the policy's; an empty one names nobody."""
    expected_of = {
        None: ["eu", "vllm"],
        (): [],
        ("gemini", "eu"): ["gemini", "eu"],
    }
    for fallbacks, expected in expected_of.items():
        assignments = Assignments({"specialist": Assignment("deepseek", None, fallbacks)})
        composed = snapshot(boot, replace(STORED, assignments=assignments))
        assert [one.connection for one in successors(composed, None)] == expected


def test_a_label_above_the_policys_ceiling_passes_where_a_ceiling_of_its_own_lets_it(
    boot: Settings,
) -> None:
    """The local backend stands first for it, and isn't asked again."""
    composed = snapshot(boot, STORED)
    assert route(composed, Tlp.AMBER).connection == "vllm"
    assert successors(composed, Tlp.AMBER) == (Route("eu"),)
    assert successors(composed, Tlp.RED) == ()
    assert successors(composed, Tlp.GREEN) == (Route("eu"), Route("vllm"))


def test_a_local_fallback_above_the_policys_ceiling_must_prove_that_it_is_local(
    boot: Settings,
) -> None:
    """The call is refused where it isn't."""
    composed = snapshot(boot, replace(STORED, backend="ollama"))
    assert successors(composed, Tlp.RED) == (Route("vllm", restricted=True),)


def test_a_connection_that_is_gone_is_succeeded(boot: Settings) -> None:
    """It can't answer, and another may."""
    assignments = Assignments({"specialist": Assignment("not-here")})
    composed = snapshot(boot, replace(STORED, assignments=assignments))
    assert [one.connection for one in successors(composed, None)] == ["eu", "vllm"]


def test_a_request_that_needs_a_label_has_no_successors(boot: Settings) -> None:
    """Nobody else may have it either."""
    composed = snapshot(boot, replace(STORED, require_tlp=True))
    assert successors(composed, None) == ()


def test_the_environments_order_is_the_boot_default(tmp_path: Path) -> None:
    """An order that was set at runtime counts before it, be it empty."""
    boot = settings(tmp_path, LLM_BACKEND="deepseek", LLM_FALLBACKS="gemini,vllm")
    by_default = successors(snapshot(boot), None)
    assert [one.connection for one in by_default] == ["gemini", "vllm"]
    assert successors(snapshot(boot, StoredConfig(fallbacks=())), None) == ()


def test_a_stop_leaves_local_fallbacks_alone(tmp_path: Path) -> None:
    """Who was chosen to answer instead does, while it is local; no hosted one is asked."""
    boot = settings(tmp_path, LLM_BACKEND="deepseek", LLM_FALLBACKS="openai,vllm")
    stopped = replace(snapshot(boot), hosted_traffic=HostedTraffic("stopped"))
    assert successors(stopped, None) == (Route("vllm", restricted=True),)
