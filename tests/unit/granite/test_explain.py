"""Routing and its explanation: every label, connection, ceiling and assignment, and one answer."""

from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given

from aurorasoc.config.hosted_traffic import HostedTraffic
from aurorasoc.config.settings import Settings
from aurorasoc.config.snapshot import Problem, Snapshot
from aurorasoc.config.vocabulary import AUTO, Role, ServingBackend, Tlp
from aurorasoc.errors import AuroraError, BackendUnavailable, ProviderNotReady, TlpRefused
from aurorasoc.granite.explain import explain
from aurorasoc.granite.sensitivity import Route, needs_resolution, route
from aurorasoc.granite.succession import fallbacks_of, successors
from aurorasoc.llm.adoption.stored import ConnectionChoice, StoredConfig
from tests.configurations import (
    CONNECTIONS,
    ELSEWHERE,
    Asker,
    askers,
    boot,
    configurations,
    many,
    may_have,
    ollama_is_found,
)
from tests.examples import settings, snapshot

REFUSALS: Final = (BackendUnavailable, ProviderNotReady, TlpRefused)

__all__ = ["boot", "ollama_is_found"]  # pytest finds them here

pytestmark = pytest.mark.usefixtures("ollama_is_found")


def _expected(stored: StoredConfig, asker: Asker) -> Route | None:
    """Say the design's rule on who answers again, with Ollama found; None: refused."""
    tlp, role, agent = asker
    if tlp is None and stored.require_tlp:
        return None
    local = "ollama" if stored.local_backend in {None, AUTO} else str(stored.local_backend)
    its = stored.assignments.agents.get(agent or "") or stored.assignments.roles.get(role)
    name = its.connection if its else str(stored.backend)
    if name == ELSEWHERE:
        return None
    above = tlp is not None and tlp.rank > Tlp(stored.hosted_max_tlp or "GREEN").rank
    if name == AUTO:
        name = local if above else "ollama"
        replaced = above and local == stored.local_backend
    else:
        replaced = False
    if not replaced and may_have(stored, name, tlp) != "no":
        return Route(name, its.model if its else None, may_have(stored, name, tlp) == "if local")
    return None if may_have(stored, local, tlp) == "no" else Route(local, None, restricted=True)


def _routed(composed: Snapshot, asker: Asker) -> Route | AuroraError:
    try:
        return route(composed, *asker)
    except REFUSALS as error:
        return error


@pytest.mark.soak
@given(configurations, askers)
@many
def test_a_label_goes_where_the_designs_rule_says(
    boot: Settings, stored: StoredConfig, asker: Asker
) -> None:
    """The connection, its model, and whether it must prove to be local."""
    outcome = _routed(snapshot(boot, stored), asker)
    assert (outcome if isinstance(outcome, Route) else None) == _expected(stored, asker)


@pytest.mark.soak
@given(configurations, askers)
@many
def test_no_label_is_routed_above_a_ceiling(
    boot: Settings, stored: StoredConfig, asker: Asker
) -> None:
    """Its own, or the policy's where it isn't shown to be local."""
    chosen = _routed(snapshot(boot, stored), asker)
    if isinstance(chosen, Route):
        may = may_have(stored, chosen.connection, asker[0])
        assert may == "yes" or (may == "if local" and chosen.restricted)


@pytest.mark.soak
@given(configurations, askers)
@many
def test_an_explanation_agrees_with_routing(
    boot: Settings, stored: StoredConfig, asker: Asker
) -> None:
    """Who answers, or the very error; and of each other connection, whether it may."""
    composed, (tlp, _, _) = snapshot(boot, stored), asker
    explained = explain(composed, *asker)
    outcome = _routed(composed, asker)
    if isinstance(outcome, Route):
        first = explained.allowed[0]
        assert explained.answers == first.connection == outcome.connection
        assert (first.local, explained.problem) == (outcome.restricted, None)
        assert outcome.model in {None, explained.model}
    else:
        assert explained.answers is None
        assert explained.problem == Problem(outcome.code, outcome.detail)
    unlabelled = tlp is None and bool(stored.require_tlp)
    for name in CONNECTIONS:
        may = "no" if unlabelled else may_have(stored, name, tlp)
        assert (name in {one.connection for one in explained.refused}) == (may == "no")
        local = {one.connection: one.local for one in explained.allowed}
        assert may == "no" or local[name] == (may == "if local") or name == explained.answers


@pytest.mark.soak
@given(configurations, askers)
@many
def test_allowed_connections_stand_in_the_order_in_which_they_are_asked(
    boot: Settings, stored: StoredConfig, asker: Asker
) -> None:
    """Who answers, then the fallbacks; whoever else may have the label is said not to be asked."""
    composed = snapshot(boot, stored)
    explained = explain(composed, *asker)
    following = list(explained.fallbacks)
    stands_in = explained.answers is None or explained.answers in following
    asked = following if stands_in else [explained.answers, *following]
    assert [one.connection for one in explained.allowed][: len(asked)] == asked
    if explained.problem is None or explained.problem.code == BackendUnavailable.code:
        assert following == [one.connection for one in successors(composed, *asker)]
    else:
        assert following == []  # nobody answers in its place
    for one in explained.allowed:
        assert ("isn't asked" in one.why) == (one.connection not in asked)
        configured = fallbacks_of(composed, *asker[1:])
        assert "isn't a fallback" not in one.why or one.connection not in configured


@pytest.mark.parametrize(
    ("on_refusal", "backend", "why"),
    [
        ("local", "deepseek", "It is asked what a hosted model refuses, while it is local."),
        ("fail", "deepseek", "It isn't a fallback, and isn't asked."),
        ("local", "vllm", "It isn't a fallback, and isn't asked."),
    ],
)
def test_the_local_backend_is_said_to_be_asked_of_refusals(
    boot: Settings, on_refusal: str, backend: str, why: str
) -> None:
    """Where the policy wants that, and a hosted model is asked before it; it must be local then."""
    stored = StoredConfig(backend=backend, local_backend="ollama", on_refusal=on_refusal)
    explained = explain(snapshot(boot, stored), Tlp.GREEN)
    (ollama,) = (one for one in explained.allowed if one.connection == "ollama")
    assert ollama.why == f"{why} GREEN is within the policy's ceiling, GREEN."
    assert ollama.local == why.startswith("It is asked")


def test_each_fallback_is_said_when_it_is_asked(boot: Settings) -> None:
    """One that can't take calls is skipped, and one that may not have the label isn't on it."""
    eu = ConnectionChoice(provider=ServingBackend.OPENAI, max_tlp="GREEN")
    stored = StoredConfig(
        backend="vllm", providers={"eu": eu}, fallbacks=("eu", "ollama", "deepseek")
    )
    explained = explain(snapshot(boot, stored), Tlp.GREEN)
    assert [(one.connection, one.why.split(". ")[0]) for one in explained.allowed[:5]] == [
        ("vllm", "It is active"),
        ("eu", "It is the first fallback"),
        ("ollama", "It is the second fallback"),
        ("deepseek", "It is the third fallback"),
        ("openai", "It isn't a fallback, and isn't asked"),
    ]
    explained = explain(snapshot(boot, stored), Tlp.RED)
    assert [(one.connection, one.local) for one in explained.allowed] == [
        ("vllm", True),
        ("ollama", True),
    ]
    why = {one.connection: one.why for one in explained.refused}
    assert why["eu"] == "RED is above its own ceiling, GREEN."
    assert explained.allowed[1].why.startswith("It is the first fallback.")


@pytest.mark.parametrize("role", ["specialist", "orchestrator"])
def test_a_fallback_that_is_skipped_is_said_why(boot: Settings, role: Role) -> None:
    """In the words with which a call to it would be refused: no model, no key, or both."""
    modelless = ConnectionChoice(
        provider=ServingBackend.VLLM, base_url="http://10.0.0.8/v1", orchestrator_model="big"
    )
    stored = StoredConfig(
        backend="vllm", providers={"lab": modelless}, fallbacks=("lab", "deepseek", "ollama")
    )
    _, lab, deepseek, ollama = explain(snapshot(boot, stored), None, role).allowed[:4]
    skipped = "fallback. It is skipped while it isn't ready:"
    assert f"{skipped} No model configured for lab." in lab.why
    assert f"{skipped} DeepSeek needs a key" in deepseek.why
    assert ollama.why == "It is the third fallback. Unlabelled data may go anywhere."


def test_who_would_answer_and_cannot_is_said_why(boot: Settings) -> None:
    """A fallback never takes its place: a wrong configuration is seen."""
    stored = StoredConfig(backend="deepseek", fallbacks=("ollama",))
    (first, *_) = explain(snapshot(boot, stored), None).allowed
    assert first.connection == "deepseek"
    assert first.why.startswith("It is active. It isn't ready: DeepSeek needs a key")


@pytest.mark.soak
@given(configurations, askers)
@many
def test_a_probe_is_asked_for_wherever_the_route_hangs_on_one(
    boot: Settings, stored: StoredConfig, asker: Asker
) -> None:
    """Else a handle would be refused for want of a backend that nobody looked for."""
    unprobed = {"vllm": replace(stored.providers["vllm"], base_url="http://127.0.0.1:1/v1")}
    composed = snapshot(boot, replace(stored, providers={**stored.providers, **unprobed}))
    if isinstance(_routed(composed, asker), BackendUnavailable):
        assert needs_resolution(composed, *asker)


def test_a_stop_is_the_reason_that_is_said(tmp_path: Path) -> None:
    """For every connection, unless its label forbids it anyway."""
    boot = snapshot(settings(tmp_path, LLM_BACKEND="deepseek"))
    stopped = replace(boot, hosted_traffic=HostedTraffic("stopped", by="alice"))
    said = explain(stopped, None)
    assert said.answers is None
    assert said.problem is not None
    assert (said.problem.code, "by alice" in said.problem.detail) == ("hosted_stopped", True)
    assert {one.connection for one in said.allowed if one.local} == {"ollama", "vllm"}
    refused = {one.connection: one.why for one in said.refused}
    assert refused["deepseek"] == "Hosted traffic is stopped: it is hosted."
    above = {one.connection: one.why for one in explain(stopped, Tlp.RED).refused}
    assert "above the policy's ceiling" in above["deepseek"]


def test_a_fallback_is_called_one_also_where_no_call_is_made_that_could_fail(
    boot: Settings,
) -> None:
    """Who is stopped isn't replaced; a reader would look for a mistake in the list."""
    stop = HostedTraffic("stopped")
    stored = StoredConfig(backend="deepseek", hosted_traffic=stop, fallbacks=("vllm",))
    explained = explain(snapshot(boot, stored), Tlp.GREEN)
    why = {one.connection: one.why for one in explained.allowed}
    assert (explained.answers, explained.fallbacks) == (None, ())
    assert why["vllm"].startswith("It is a fallback, for calls that fail. None is made")
    assert why["ollama"].startswith("It isn't a fallback")
