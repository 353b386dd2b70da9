"""What keeps a process from calling, and what differs in it: reported there, read here."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from aurorasoc.core.database.engine import Database
from aurorasoc.core.database.tables import RuntimeConfigRow
from aurorasoc.core.open_store import open_secret_store
from aurorasoc.errors import Conflict
from aurorasoc.granite.address_policy import AddressPolicy
from aurorasoc.llm.adoption.adopt import Adoption
from aurorasoc.llm.fleet.differences import MOST_NAMED, MOST_SETTINGS, report_of_settings
from aurorasoc.llm.fleet.hindrances import LONGEST, MOST, AddressPolicyOf, Hindrances
from aurorasoc.llm.fleet.membership import Membership, this_process
from aurorasoc.llm.fleet.registry import Fleet, FleetView, Member
from aurorasoc.llm.models.health import HealthBook
from tests.component.llm.fleet.fleet_world import report
from tests.examples import OTHER_SEED, SEED, keyring, settings
from tests.world.databases import ON_BOTH

DEADLINE = 60.0
KEY = "sk-fleet-0123456789abcdef"

pytestmark = ON_BOTH


def _adoption(database: Database, folder: Path, *seeds: str, **variables: str) -> Adoption:
    boot, seal = settings(folder, **variables), keyring(*seeds)
    return Adoption(boot, database, open_secret_store(boot, seal), seal)


@pytest.fixture
async def here(database: Database, tmp_path: Path) -> Adoption:
    """Return what this process runs: DeepSeek, with a key from its environment."""
    adoption = _adoption(database, tmp_path, SEED, LLM_BACKEND="deepseek", LLM_DEEPSEEK_API_KEY=KEY)
    await adoption.adopt()
    return adoption


@pytest.fixture
async def fleet(database: Database, here: Adoption) -> AsyncIterator[Fleet]:
    """Yield the reader of the registry."""
    opened = Fleet(database, here, keyring(SEED))
    yield opened
    await opened.close()


def _anything(*_: object) -> None:
    """Let every address be reached."""


def _nothing_inside(*_: object) -> AddressPolicy:
    return AddressPolicy()


async def _hindrances(adoption: Adoption, policy: AddressPolicyOf = _anything) -> Hindrances:
    looker = Hindrances(adoption, policy)
    await looker.look()
    return looker


async def _member(
    database: Database, here: Adoption, fleet: Fleet, there: Adoption, *seeds: str
) -> Member:
    """Return how a process that runs `there` looks from here."""
    await report(
        database,
        here,
        "other",
        fingerprint=there.snapshot.fingerprint,
        settings=report_of_settings(there.snapshot, keyring(*seeds or (SEED,)).key_ids[0]),
        hindrances=(await _hindrances(there)).report(),
    )
    (member,) = (await fleet.look()).instances
    return member


# --- what hinders ------------------------------------------------------------------------------


async def test_process_that_can_call_everything_reports_nothing(here: Adoption) -> None:
    """Its connection is ready, and its host may be reached."""
    assert (await _hindrances(here)).report() is None


async def test_key_missing_in_one_process_is_its_hindrance(
    database: Database, tmp_path: Path, here: Adoption, fleet: Fleet
) -> None:
    """The variable is named, for that process and not for this one."""
    there = _adoption(database, tmp_path, SEED, LLM_BACKEND="deepseek")
    await there.adopt()
    member = await _member(database, here, fleet, there)
    (hindrance,) = member.hindrances
    assert (hindrance.connection, hindrance.code) == ("deepseek", "key_missing")
    assert "LLM_DEEPSEEK_API_KEY" in hindrance.detail


async def test_fallback_that_cannot_be_called_is_a_hindrance(
    database: Database, tmp_path: Path
) -> None:
    """Calls go there once another provider failed."""
    adoption = _adoption(database, tmp_path, SEED, LLM_BACKEND="ollama", LLM_FALLBACKS="deepseek")
    await adoption.adopt()
    assert [one.connection for one in (await _hindrances(adoption)).now] == ["deepseek"]


async def test_variable_that_alters_calls_is_a_hindrance(
    here: Adoption, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Set in this process's environment only."""
    monkeypatch.setenv("DEEPSEEK_API_HEADERS", '{"x": "y"}')
    await here.adopt()
    (hindrance,) = (await _hindrances(here)).now
    assert hindrance.code == "ambient_override"
    assert "DEEPSEEK_API_HEADERS" in hindrance.detail


async def test_host_that_this_process_does_not_allow_is_a_hindrance(
    database: Database, tmp_path: Path
) -> None:
    """The cure names the variable, in this process."""
    adoption = _adoption(
        database,
        tmp_path,
        LLM_BACKEND="openai",
        LLM_OPENAI_COMPATIBLE_API_KEY=KEY,
        LLM_OPENAI_COMPATIBLE_BASE_URL="http://127.0.0.1:9/v1",
    )
    await adoption.adopt()
    (hindrance,) = (await _hindrances(adoption, _nothing_inside)).now
    assert (hindrance.connection, hindrance.code) == ("openai", "address_not_allowed")
    assert hindrance.detail.startswith("In this process, 127.0.0.1 leads to")
    assert "AURORA_ALLOWED_HOSTS" in hindrance.detail


async def test_the_log_names_a_hindrance_once(
    database: Database, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """When it comes, at the start as later, with what to do."""
    adoption = _adoption(database, tmp_path, LLM_BACKEND="deepseek")
    await adoption.adopt()
    looker = await _hindrances(adoption)
    await looker.look()
    lines = [text for text in caplog.messages if "can't call" in text]
    assert len(lines) == 1
    assert "LLM_DEEPSEEK_API_KEY" in lines[0]


async def test_connection_that_nobody_uses_hinders_nobody(
    database: Database, tmp_path: Path
) -> None:
    """The other vendors have no key, and need none."""
    adoption = _adoption(database, tmp_path, LLM_BACKEND="ollama")
    await adoption.adopt()
    assert (await _hindrances(adoption)).now == ()


async def test_stored_backend_that_is_unknown_here_is_said_everywhere(
    database: Database, tmp_path: Path, fleet: Fleet
) -> None:
    """In the fleet, and by the process itself, which doesn't blame the database."""
    async with database.transaction() as session:
        await session.merge(RuntimeConfigRow(id=1, revision=3, backend="lab"))
    there = _adoption(database, tmp_path, SEED)
    with pytest.raises(Conflict):
        await there.adopt()
    with pytest.raises(Conflict, match="names a backend that this process doesn't know"):
        _ = there.snapshot
    looker = await _hindrances(there)
    joined = Membership(
        this_process("agent", "triage"),
        database,
        there,
        keyring(SEED),
        lambda: "poll",
        health=HealthBook(),
        hindrances=looker.report,
    )
    joined.start()
    async with asyncio.timeout(DEADLINE):
        with fleet.watching():
            view = await fleet.after(FleetView(3, ()))
    await joined.close()
    assert view is not None
    (member,) = view.instances
    assert (member.state, member.adopted_at, member.hindrances[0].code) == (
        "behind",
        None,
        "not_adopted",
    )


async def test_hindrances_are_found_after_an_adoption(
    here: Adoption, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And told once, when they come and when they go."""
    changes = asyncio.Queue[tuple[str, ...]]()
    looker = Hindrances(here, _anything)
    looker.on_change = lambda: changes.put_nowait(tuple(one.code for one in looker.now))
    looker.start()
    async with asyncio.timeout(DEADLINE):
        monkeypatch.setenv("DEEPSEEK_API_HEADERS", "x")
        await here.adopt()
        assert await changes.get() == ("ambient_override",)
        monkeypatch.delenv("DEEPSEEK_API_HEADERS")
        await here.adopt()
        assert await changes.get() == ()
    await looker.close()


# --- what differs ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("variables", "setting", "variable"),
    [
        ({"LLM_BACKEND": "vllm"}, "backend", "LLM_BACKEND"),
        ({"LLM_HOSTED_MAX_TLP": "AMBER"}, "policy.hosted_max_tlp", "LLM_HOSTED_MAX_TLP"),
        (
            {"LLM_VLLM_BASE_URL": "http://10.0.0.9:8000/v1"},
            "connections.vllm.base_url",
            "LLM_VLLM_BASE_URL",
        ),
        (
            {"LLM_DEEPSEEK_API_KEY": "sk-other-0123456789abcdef"},
            "connections.deepseek.api_key",
            "LLM_DEEPSEEK_API_KEY",
        ),
        (
            {
                "LLM_CONNECTION_LAB_PROVIDER": "vllm",
                "LLM_CONNECTION_LAB_BASE_URL": "http://10.0.0.9:8000/v1",
            },
            "connections.lab",
            "LLM_CONNECTION_LAB_PROVIDER",
        ),
    ],
)
async def test_setting_that_differs_is_named_with_its_variable(
    database: Database,
    tmp_path: Path,
    here: Adoption,
    fleet: Fleet,
    variables: dict[str, str],
    setting: str,
    variable: str,
) -> None:
    """One of the environment's; the rest is alike, and isn't named."""
    alike = {"LLM_BACKEND": "deepseek", "LLM_DEEPSEEK_API_KEY": KEY}
    there = _adoption(database, tmp_path, SEED, **(alike | variables))
    await there.adopt()
    member = await _member(database, here, fleet, there)
    assert member.state == "diverged"
    assert [(one.setting, one.variable) for one in member.differences] == [(setting, variable)]


async def test_another_seed_is_named_and_not_every_key(
    database: Database, tmp_path: Path, here: Adoption, fleet: Fleet
) -> None:
    """Keys' tags differ with it."""
    there = _adoption(
        database, tmp_path, OTHER_SEED, LLM_BACKEND="deepseek", LLM_DEEPSEEK_API_KEY=KEY
    )
    await there.adopt()
    member = await _member(database, here, fleet, there, OTHER_SEED)
    assert [one.variable for one in member.differences] == ["AURORA_SECRET_KEY"]


async def test_process_of_an_earlier_version_differs_without_a_name(
    database: Database, here: Adoption, fleet: Fleet
) -> None:
    """It reports no settings."""
    await report(database, here, "old", fingerprint="f" * 16)
    (member,) = (await fleet.look()).instances
    assert (member.state, member.differences) == ("diverged", ())


# --- what others write -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no JSON",
        "[1]",
        '[{"connection": null, "code": "x"}]',
        json.dumps([{"connection": None, "code": "c", "detail": "d"}] * (MOST + 1)),
        json.dumps([{"connection": None, "code": "c", "detail": "d" * (LONGEST + 1)}]),
    ],
)
async def test_report_that_no_process_wrote_says_nothing(
    database: Database, here: Adoption, fleet: Fleet, text: str
) -> None:
    """The running role may write any text there."""
    await report(database, here, "odd", fingerprint="f" * 16, hindrances=text, settings=text)
    (member,) = (await fleet.look()).instances
    assert (member.hindrances, member.differences) == ((), ())


async def test_terminals_get_no_control_characters(
    database: Database, here: Adoption, fleet: Fleet
) -> None:
    """A row's sentence is printed at the shell."""
    text = json.dumps([{"connection": "lab\u001b[2J", "code": "c", "detail": "a\nb"}])
    await report(database, here, "odd", hindrances=text)
    (member,) = (await fleet.look()).instances
    (hindrance,) = member.hindrances
    assert (hindrance.connection, hindrance.detail) == ("lab [2J", "a b")


async def test_many_differences_are_cut(database: Database, here: Adoption, fleet: Fleet) -> None:
    """A row may name hundreds."""
    text = json.dumps({f"policy.p{number}": "x" for number in range(MOST_SETTINGS - 1)})
    await report(database, here, "odd", fingerprint="f" * 16, settings=text)
    (member,) = (await fleet.look()).instances
    assert len(member.differences) == MOST_NAMED


async def test_no_secret_is_in_what_a_process_reports(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither a key, nor what a variable that hinders is set to."""
    monkeypatch.setenv("DEEPSEEK_API_HEADERS", f"x-key: {KEY}")
    adoption = _adoption(database, tmp_path, SEED, LLM_BACKEND="deepseek", LLM_DEEPSEEK_API_KEY=KEY)
    await adoption.adopt()
    reported = (await _hindrances(adoption)).report() or ""
    assert "ambient_override" in reported
    assert KEY not in reported + report_of_settings(adoption.snapshot, keyring(SEED).key_ids[0])
