"""Rows of connections and assignments that the database's running role may add."""

import json
from typing import Final

import pytest

from aurorasoc.config.assignments import UNASSIGNED
from aurorasoc.config.vocabulary import ServingBackend, Tlp
from aurorasoc.errors import NotFound, ProviderNotReady
from aurorasoc.granite.sensitivity import passage, route
from aurorasoc.llm.adoption.stored import MAX_NAMED
from aurorasoc.llm.changes import edits
from aurorasoc.runtime import Runtime
from tests.component.llm.changes.test_rows_of_others import change, insert, opened
from tests.world.databases import ON_BOTH, Stored

__all__ = ["opened"]  # pytest finds the fixture here

pytestmark = ON_BOTH

NAMED: Final = "llm_provider_config kind"


async def test_hundreds_of_rows_become_a_bounded_number_of_connections(
    opened: Runtime, stored: Stored
) -> None:
    """Each with the longest values: changes go on, and their history takes the rest."""
    address, options = f"http://{'a' * 2_000}", json.dumps({"headers": {"x-a": "b" * 15_000}})
    rows = [
        insert(NAMED, f"p{n}", "openai" if n % 2 else None, "m" * 255, address, "RED", options)
        for n in range(600)
    ]
    await stored.executed(*rows)
    named = (await opened.adoption.adopt()).connections.keys() - {*ServingBackend}
    assert len(named) == MAX_NAMED
    assert await change(opened, "one") == 1
    assert await change(opened, "two") == 2


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("../openai", "openai"),
        ("a/b", "openai"),
        ("auto", "openai"),
        ("Upper", "openai"),
        ("", "openai"),
        ("eu", "mistral"),
        ("eu", ""),
        ("eu", None),
    ],
)
async def test_row_that_no_change_wrote_is_no_connection(
    opened: Runtime, stored: Stored, name: str, kind: str | None
) -> None:
    """Its name would become a path in Vault, or nobody knows how to talk to it."""
    await stored.executed(
        insert(NAMED, name, kind, "m", "http://127.0.0.1:1/v1", None, None),
        insert("llm_provider_credentials", name, "http://127.0.0.1:1", "i", "m", 1),
    )
    assert (await opened.adoption.adopt()).connections.keys() == {*ServingBackend}
    assert await change(opened, "one") == 1


async def test_built_in_connection_leads_to_its_provider_whatever_a_row_says(
    opened: Runtime, stored: Stored
) -> None:
    """And a reset still takes its values away."""
    await stored.executed(insert(NAMED, "openai", "anthropic", "m", None, None, None))
    openai = (await opened.adoption.adopt()).connections["openai"]
    assert (openai.provider, openai.model.value) == (ServingBackend.OPENAI, "m")
    snapshot = await opened.admin.change(edits.reset(), actor="alice")
    assert snapshot.revision == 1
    assert opened.adoption.snapshot.connections["openai"].model.value == "gpt-4o"


@pytest.mark.parametrize(
    ("ceiling", "options"),
    [("JUNK", "junk"), ("", "[1]"), ("amber", '{"temperature": NaN}'), ("RED ", "[" * 3_000)],
)
async def test_unreadable_ceiling_lets_nothing_labelled_go(
    opened: Runtime, stored: Stored, ceiling: str, options: str
) -> None:
    """Options that can't be read are none; the others answer."""
    row = insert(NAMED, "eu", "vllm", "m", "http://127.0.0.1:1/v1", ceiling, options)
    await stored.executed(row)
    snapshot = await opened.adoption.adopt()
    assert snapshot.connections["eu"].max_tlp.value == Tlp.NONE
    assert passage(snapshot, snapshot.connections["eu"], Tlp.CLEAR) == "forbidden"
    assert snapshot.connections["ollama"].ready


@pytest.mark.parametrize(
    "assignments",
    ["junk", "[]", '{"roles": {"admin": {"connection": "ollama"}}}', '{"agents": {"a": 1}}'],
)
async def test_unreadable_assignments_are_none(
    opened: Runtime, stored: Stored, assignments: str
) -> None:
    """Everybody uses the active connection."""
    await stored.executed(
        insert("llm_runtime_config", 1, 1, None, None, None, None),
        f"UPDATE llm_runtime_config SET assignments = '{assignments}'",  # noqa: S608 - ours
    )
    assert (await opened.adoption.adopt()).assignments == UNASSIGNED
    assert await change(opened, "one") == 2


async def test_assignment_to_nobody_refuses_its_agent_alone(
    opened: Runtime, stored: Stored
) -> None:
    """The sentence names both."""
    await stored.executed(
        insert("llm_runtime_config", 1, 1, None, None, None, None),
        """UPDATE llm_runtime_config SET assignments =
        '{"roles": {}, "agents": {"analyst": {"connection": "../openai"}}}'""",
    )
    snapshot = await opened.adoption.adopt()
    with pytest.raises(ProviderNotReady, match="doesn't exist in this process"):
        route(snapshot, None, agent="analyst")
    assert route(snapshot, None, agent="another").connection == "ollama"


@pytest.mark.parametrize(
    "providers",
    [
        {"../openai": {"provider": "openai", "model": "m"}},
        {"eu": {"model": "m"}},
        {f"p{n}": {"provider": "openai"} for n in range(MAX_NAMED + 1)},
    ],
    ids=["impossible name", "no kind", "too many"],
)
async def test_no_rollback_makes_connections_that_no_change_can_make(
    opened: Runtime, stored: Stored, providers: dict[str, object]
) -> None:
    """The history is not theirs alone to write."""
    config = json.dumps({"revision": 1, "providers": providers})
    await stored.executed(insert("llm_revisions", 1, 1, "m", "a", "t", config))
    with pytest.raises(NotFound, match="holds no configuration"):
        await opened.admin.rollback(1, actor="alice")
