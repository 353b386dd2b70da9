"""The inventory: what is shown of a snapshot, and what can't be."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import pytest
from beeai_framework.backend.message import UserMessage

from aurorasoc import get_chat_model
from aurorasoc.config.snapshot import Credential, KeyState, Problem
from aurorasoc.config.vocabulary import BUILT_IN, ServingBackend
from aurorasoc.errors import AuthFailed
from aurorasoc.granite.backend_resolution import refresh_resolution
from aurorasoc.llm.adoption.stored import StoredConfig
from aurorasoc.llm.inventory import (
    ConnectionView,
    active_of,
    connection_row,
    inventory_of,
)
from aurorasoc.llm.models.traffic import LastCalls
from aurorasoc.llm.observe import Observation
from aurorasoc.runtime import Runtime
from tests.component.live import World
from tests.examples import API_KEY, settings, snapshot, stored_key
from tests.world.vendor import Fault, Refusal

DEEPSEEK = ServingBackend.DEEPSEEK
ORIGIN = "https://api.deepseek.com:443"
UNOBSERVED = Observation(leaves_host=True, last=LastCalls())
UNSEEN: Final = dict.fromkeys(BUILT_IN, UNOBSERVED)


def _row(tmp_path: Path, credential: Credential | None = None, **env: str) -> ConnectionView:
    current = snapshot(
        settings(tmp_path, **env), credentials={DEEPSEEK: credential} if credential else {}
    )
    return connection_row(current, DEEPSEEK, UNOBSERVED)


def _key_of(row: ConnectionView) -> tuple[Any, ...]:
    return tuple(getattr(row, f"key_{field}") for field in ("present", "last4", "source", "state"))


def test_a_key_from_the_environment_says_so(tmp_path: Path) -> None:
    """The last four characters, never more."""
    row = _row(tmp_path, LLM_DEEPSEEK_API_KEY=API_KEY)
    assert _key_of(row) == (True, API_KEY[-4:], "env", "usable")
    assert row.sources.api_key == "env"


def test_a_stored_key_hides_the_environments(tmp_path: Path) -> None:
    """What was set at runtime wins."""
    row = _row(tmp_path, stored_key(origin=ORIGIN), LLM_DEEPSEEK_API_KEY="sk-other-0123456789")
    assert _key_of(row) == (True, API_KEY[-4:], "database", "usable")


def test_a_short_keys_end_is_not_shown(tmp_path: Path) -> None:
    """Four characters of eleven are a third of it."""
    assert _row(tmp_path, LLM_DEEPSEEK_API_KEY="sk-45678901").key_last4 is None


def test_an_absent_key_is_the_one_state_without_presence(tmp_path: Path) -> None:
    """`key_present` is true in every other."""
    row = _row(tmp_path)
    assert _key_of(row) == (False, None, None, "absent")
    assert row.problems[0].code == "key_missing"
    assert row.ready is False


@pytest.mark.parametrize(
    ("state", "code"),
    [("needs_reentry", "seed_changed"), ("unavailable", "secret_store_unavailable")],
)
def test_a_key_that_cannot_be_read_is_present_and_says_why(
    tmp_path: Path, state: KeyState, code: str
) -> None:
    """It never uncovers the environment's."""
    problem = Problem(code, "Enter it again.")
    stored = Credential(state, "database", ORIGIN, last4="2468", problem=problem)
    row = _row(tmp_path, stored, LLM_DEEPSEEK_API_KEY="sk-other-0123456789")
    assert _key_of(row) == (True, "2468", "database", state)
    assert [p.code for p in row.problems] == [code]


def test_a_key_for_another_origin_needs_reentry(tmp_path: Path) -> None:
    """With a sentence that names both."""
    row = _row(tmp_path, stored_key(origin="https://elsewhere.example:443"))
    assert row.key_state == "needs_reentry"
    assert [p.code for p in row.problems] == ["origin_changed"]


def test_no_key_is_in_an_inventory(tmp_path: Path) -> None:
    """None is put there."""
    current = snapshot(
        settings(tmp_path, LLM_GEMINI_API_KEY="AIza-unit-0123456789"),
        credentials={DEEPSEEK: stored_key(origin=ORIGIN)},
    )
    text = json.dumps(inventory_of(current, UNSEEN, None), default=asdict)
    assert API_KEY not in text
    assert "AIza-unit-0123456789" not in text


def test_all_providers_are_listed_and_one_is_active(tmp_path: Path) -> None:
    """In the catalog's order."""
    current = snapshot(settings(tmp_path, LLM_BACKEND="gemini"))
    rows = inventory_of(current, UNSEEN, None).providers
    assert {row.provider for row in rows} == {backend.value for backend in ServingBackend}
    assert [row.provider for row in rows if row.active] == ["gemini"]


def test_the_active_choice_says_where_it_came_from(tmp_path: Path) -> None:
    """Runtime, environment or default."""
    by_default = snapshot(settings(tmp_path))
    by_env = snapshot(settings(tmp_path, LLM_BACKEND="ollama"))
    by_admin = snapshot(settings(tmp_path), StoredConfig(revision=1, backend="openai"))
    actives = [active_of(one, UNSEEN) for one in (by_default, by_env, by_admin)]
    choices = [(active.backend, active.source) for active in actives]
    assert choices == [("vllm", "default"), ("ollama", "env"), ("openai", "runtime")]


async def test_auto_that_found_nothing_is_active_without_a_backend(tmp_path: Path) -> None:
    """The problem holds both addresses."""

    async def silent(_: ServingBackend, _url: str) -> int:
        return 0

    current = snapshot(settings(tmp_path, LLM_BACKEND="auto"))
    await refresh_resolution(current, silent)
    active = active_of(current, UNSEEN)
    assert (active.backend, active.requested, active.ready) == (None, "auto", False)
    assert active.problems[0].code == "backend_unavailable"


async def test_auto_shows_what_it_found(tmp_path: Path) -> None:
    """The backend beside the request."""

    async def answers(_: ServingBackend, url: str) -> int:
        return 200 if url.endswith("/api/tags") else 0

    current = snapshot(settings(tmp_path, LLM_BACKEND="auto"))
    await refresh_resolution(current, answers)
    active = active_of(current, UNSEEN)
    assert (active.backend, active.requested) == ("ollama", "auto")


async def test_production_calls_show_in_their_row(world: World, runtime: Runtime) -> None:
    """When one was answered last, and what went wrong since."""
    await get_chat_model().run([UserMessage("ping")])
    world.keyed.faults.set(Fault(refusal=Refusal.BAD_KEY))
    with pytest.raises(AuthFailed):
        await get_chat_model().run([UserMessage("ping")])
    rows = {row.provider.value: row for row in (await runtime.admin.inventory()).providers}
    assert rows["deepseek"].last_ok_at is not None
    assert rows["deepseek"].last_error is not None
    assert rows["deepseek"].last_error.code == "auth_failed"
    assert rows["openai"].last_ok_at is None


async def test_local_is_a_judgement_of_addresses(runtime: Runtime) -> None:
    """`data_leaves_host`: hosted ones always, local ones by where they lead."""
    rows = (await runtime.admin.inventory()).providers
    stays = {row.provider for row in rows if not row.data_leaves_host}
    assert stays == {"ollama", "vllm"}
