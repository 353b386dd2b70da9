"""The doctor names every key, how it stands, and what to do about it."""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

import pytest
from sqlalchemy import update

from aurorasoc.core.database.engine import Database
from aurorasoc.core.database.tables import CredentialRow
from aurorasoc.llm.keys.doctor import Finding, examine
from aurorasoc.runtime import open_runtime
from tests.examples import JWT_SECRET, OTHER_SEED, SEED, settings
from tests.world.databases import Stored
from tests.world.sealed import install

KEY: Final = "sk-env-0123456789abcdef"


async def _examined(folder: Path, /, **variables: str) -> dict[tuple[str, str], Finding]:
    """Examine the installation in a folder, by kind and name."""
    async with open_runtime(settings(folder, **variables)) as runtime:
        findings = await examine(runtime.database, runtime.keyring, runtime.adoption)
    return {(finding.kind, finding.name): finding for finding in findings}


def _only(findings: Iterable[Finding], kind: str) -> Finding:
    (finding,) = (one for one in findings if one.kind == kind)
    return finding


@pytest.mark.usefixtures("database_file")
async def test_nothing_stored_is_nothing_to_say(tmp_path: Path) -> None:
    """Providers without a key aren't listed."""
    assert await _examined(tmp_path) == {}


async def test_current_key_needs_nothing(database: Database, tmp_path: Path) -> None:
    """A key under the first seed is healthy, and so is the audit key."""
    await install(database, SEED, providers=["openai"])
    findings = await _examined(tmp_path, AURORA_SECRET_KEY=SEED)
    assert len(findings) == 2
    assert all(one.healthy and one.advice == "nothing to do" for one in findings.values())


@pytest.mark.usefixtures("database_file")
async def test_environments_key_needs_nothing(tmp_path: Path) -> None:
    """A key from the environment is listed, and where it comes from."""
    findings = await _examined(tmp_path, LLM_DEEPSEEK_API_KEY=KEY)
    finding = findings["credential", "deepseek"]
    assert (finding.state, finding.healthy) == ("usable, from env", True)


@pytest.mark.parametrize("kind", ["credential", "audit key"])
async def test_older_seed_asks_for_a_rotation(
    database: Database, tmp_path: Path, kind: str
) -> None:
    """What an older seed sealed works, and wants `keys rotate` before that seed goes."""
    await install(database, SEED, providers=["openai"])
    findings = await _examined(
        tmp_path, AURORA_SECRET_KEY=OTHER_SEED, AURORA_SECRET_KEY_PREVIOUS=SEED
    )
    finding = _only(findings.values(), kind)
    assert (finding.state, finding.healthy) == ("older seed", False)
    assert "aurorasoc keys rotate" in finding.advice
    assert "AURORA_SECRET_KEY_PREVIOUS" in finding.advice


async def test_session_secret_as_the_older_seed_is_named(
    database: Database, tmp_path: Path
) -> None:
    """After the first AURORA_SECRET_KEY the seed to keep for now is JWT_SECRET_KEY."""
    await install(database, JWT_SECRET, providers=["openai"])
    findings = await _examined(tmp_path, AURORA_SECRET_KEY=SEED)
    assert "JWT_SECRET_KEY" in findings["credential", "openai"].advice


async def test_lost_seed_asks_for_it_or_for_the_key(database: Database, tmp_path: Path) -> None:
    """A key that no seed here opens wants its seed back, or to be entered again."""
    await install(database, SEED, providers=["openai"])
    finding = (await _examined(tmp_path, AURORA_SECRET_KEY=OTHER_SEED))["credential", "openai"]
    assert (finding.state, finding.healthy) == ("needs_reentry, from database", False)
    assert "AURORA_SECRET_KEY_PREVIOUS" in finding.advice
    assert "enter the key again" in finding.advice


async def test_lost_audit_key_is_not_to_be_entered(database: Database, tmp_path: Path) -> None:
    """Nobody can enter an audit key: its seed is wanted back, and links still hold."""
    await install(database, SEED, providers=["openai"])
    findings = await _examined(tmp_path, AURORA_SECRET_KEY=OTHER_SEED)
    finding = _only(findings.values(), "audit key")
    assert (finding.state, finding.healthy) == ("unreadable", False)
    assert "AURORA_SECRET_KEY_PREVIOUS" in finding.advice
    assert "links" in finding.advice
    assert "enter" not in finding.advice


async def test_altered_row_asks_for_the_key(database: Database, tmp_path: Path) -> None:
    """A row that was moved to another origin fails closed, and giving a seed back won't help."""
    await install(database, SEED, providers=["openai"])
    async with database.transaction() as session:
        await session.execute(update(CredentialRow).values(origin="https://evil.example:443"))
    finding = (await _examined(tmp_path, AURORA_SECRET_KEY=SEED))["credential", "openai"]
    assert not finding.healthy
    assert "altered or moved" in finding.advice
    assert "Enter the key again" in finding.advice


async def test_moved_base_url_names_both_origins(database: Database, tmp_path: Path) -> None:
    """A key of another origin is healthy in itself; the advice says where it belongs."""
    await install(database, SEED, providers=["openai"])
    findings = await _examined(
        tmp_path,
        AURORA_SECRET_KEY=SEED,
        LLM_OPENAI_COMPATIBLE_BASE_URL="https://gateway.example/v1",
    )
    finding = findings["credential", "openai"]
    assert not finding.healthy
    assert "https://api.openai.com:443" in finding.advice
    assert "https://gateway.example:443" in finding.advice


async def test_examining_changes_nothing(
    database: Database, stored: Stored, tmp_path: Path
) -> None:
    """Not a row is written, whatever is found; but a process may write itself down."""
    await install(database, SEED)
    before = stored.dump() | {"llm_instances": []}
    await _examined(tmp_path, AURORA_SECRET_KEY=OTHER_SEED)
    assert stored.dump() | {"llm_instances": []} == before


async def test_findings_hold_no_key(database: Database, tmp_path: Path) -> None:
    """What the doctor says can be pasted into a ticket."""
    keys = await install(database, SEED)
    for seed in (SEED, OTHER_SEED):
        findings = await _examined(
            tmp_path, AURORA_SECRET_KEY=seed, LLM_ANTHROPIC_API_KEY=KEY, LLM_DEEPSEEK_API_KEY=KEY
        )
        said = repr(findings)
        assert not any(secret in said for secret in (*keys.values(), KEY, SEED, OTHER_SEED))


async def test_key_without_a_connection_is_named(database: Database, tmp_path: Path) -> None:
    """The environment that declared it is another now; the key is still there."""
    await install(database, SEED, providers=["lab"], origins={"lab": "https://gw.example:443"})
    declared = {"LLM_CONNECTION_LAB_PROVIDER": "openai"}
    declared["LLM_CONNECTION_LAB_BASE_URL"] = "https://gw.example/v1"
    finding = (await _examined(tmp_path, AURORA_SECRET_KEY=SEED))["credential", "lab"]
    assert (finding.state, finding.healthy) == ("stored for no connection", False)
    finding = (await _examined(tmp_path, AURORA_SECRET_KEY=SEED, **declared))["credential", "lab"]
    assert finding.healthy
