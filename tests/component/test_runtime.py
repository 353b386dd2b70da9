"""One runtime a process: opened, shared, refused, closed."""

import asyncio
import shutil
import sys
from pathlib import Path
from typing import Final

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from aurorasoc import get_chat_model, open_runtime
from aurorasoc.config.settings import Settings
from aurorasoc.core.audit.log import AuditEvent
from aurorasoc.core.database.migrations import migrate
from aurorasoc.core.redaction import REDACTED, REDACTOR
from aurorasoc.errors import ConfigurationError, RuntimeAlreadyOpen, RuntimeNotOpen
from aurorasoc.runtime import current_runtime
from tests.examples import JWT_SECRET, OTHER_SEED, settings
from tests.world.processes import ChildProcess, bare_env
from tests.world.vendor import VendorServer

CHILD: Final = """
import asyncio
from aurorasoc import get_chat_model, open_runtime

async def main() -> None:
    async with open_runtime():
        from beeai_framework.backend.message import UserMessage
        for stream in (False, True):
            output = await get_chat_model().run([UserMessage("ping")], stream=stream)
            print("answer:", output.get_text_content())

asyncio.run(main(), debug=False)
print("closed")
"""


@pytest.fixture
def boot(database_file: Path) -> Settings:
    """Return settings on a migrated database."""
    return settings(database_file.parent)


async def test_outside_there_is_none() -> None:
    """Before and after."""
    with pytest.raises(RuntimeNotOpen):
        current_runtime()


async def test_inside_it_is_the_current_one(boot: Settings) -> None:
    """For whoever didn't open it."""
    async with open_runtime(boot) as runtime:
        assert current_runtime() is runtime
    with pytest.raises(RuntimeNotOpen):
        current_runtime()


async def test_database_passwords_are_redacted_as_they_are_written_and_as_they_are_meant(
    tmp_path: Path,
) -> None:
    """A driver is handed the decoded one."""
    address = "postgresql://u:p%40ss-w0rd@127.0.0.1:1/x?sslpassword=of-the-key"
    boot = settings(tmp_path, AURORA_DATABASE_URL=address)
    async with open_runtime(boot, wait_for_keys=False):
        said = REDACTOR.text("p%40ss-w0rd p@ss-w0rd of-the-key u")
    assert said == f"{REDACTED} {REDACTED} {REDACTED} u"


async def test_a_named_connections_key_is_redacted_even_if_it_is_not_in_force(
    database_file: Path,
) -> None:
    """It may be valid, though it belongs to no address yet."""
    key = "vk-named-0123456789"
    variables = {"LLM_CONNECTION_LAB_PROVIDER": "vllm", "LLM_CONNECTION_LAB_API_KEY": key}
    async with open_runtime(settings(database_file.parent, **variables), kind=None):
        assert REDACTOR.text(f"key={key}") == f"key={REDACTED}"


async def test_without_settings_it_reads_the_environment(
    boot: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As an agent process does."""
    monkeypatch.setenv("AURORA_STATE_DIR", str(boot.server.state_dir))
    monkeypatch.setenv("JWT_SECRET_KEY", JWT_SECRET)
    async with open_runtime() as runtime:
        assert runtime.settings == boot


async def test_equal_settings_share_it(boot: Settings) -> None:
    """A library that opens it inside a host that has it open gets the same."""
    again = settings(boot.server.state_dir)
    async with open_runtime(boot) as outer, open_runtime(again) as inner:
        assert inner is outer


async def test_the_last_to_leave_closes_it(boot: Settings) -> None:
    """In whatever order they came."""
    first, second = open_runtime(boot), open_runtime(boot)
    await first.__aenter__()
    await second.__aenter__()
    await first.__aexit__(None, None, None)
    assert current_runtime().settings == boot
    await second.__aexit__(None, None, None)
    with pytest.raises(RuntimeNotOpen):
        get_chat_model()


async def test_openings_at_the_same_time_share_it(boot: Settings) -> None:
    """Two tasks of one process that start together."""

    async def opened() -> int:
        async with open_runtime(boot) as runtime:
            await asyncio.sleep(0.05)
            return id(runtime)

    assert len(set(await asyncio.gather(opened(), opened()))) == 1


@pytest.mark.parametrize(
    "other",
    [{"LLM_BACKEND": "ollama"}, {"LLM_TIMEOUT": "7"}, {"AURORA_SECRET_KEY": OTHER_SEED}],
    ids=lambda variables: next(iter(variables)),
)
async def test_other_settings_are_refused(boot: Settings, other: dict[str, str]) -> None:
    """One process runs one configuration; the one that is open stays as it is."""
    async with open_runtime(boot) as runtime:
        with pytest.raises(RuntimeAlreadyOpen, match="Close it first"):
            await open_runtime(settings(boot.server.state_dir, **other)).__aenter__()
        assert current_runtime() is runtime


class _Elsewhere:
    """A host's own audit log."""

    async def append(self, session: AsyncSession, event: AuditEvent) -> None:
        """Take an entry."""
        del session, event


async def test_another_audit_log_is_refused(boot: Settings) -> None:
    """Otherwise entries would go where nobody looks for them."""
    async with open_runtime(boot):
        with pytest.raises(RuntimeAlreadyOpen):
            await open_runtime(boot, audit=_Elsewhere()).__aenter__()


async def test_it_can_be_opened_again(boot: Settings) -> None:
    """With other settings, too."""
    async with open_runtime(boot):
        pass
    async with open_runtime(settings(boot.server.state_dir, LLM_BACKEND="ollama")) as runtime:
        assert runtime.adoption.snapshot.requested.value == "ollama"


async def test_a_database_without_migrations_is_refused(tmp_path: Path) -> None:
    """The message names the command."""
    with pytest.raises(ConfigurationError, match=r"migration none.*`aurorasoc migrate`"):
        await open_runtime(settings(tmp_path)).__aenter__()


async def test_a_refused_opening_leaves_nothing_open(tmp_path: Path, migrated_file: Path) -> None:
    """The next one starts clean."""
    with pytest.raises(ConfigurationError):
        await open_runtime(settings(tmp_path)).__aenter__()
    shutil.copy(migrated_file, tmp_path / "aurorasoc.db")
    async with open_runtime(settings(tmp_path)) as runtime:
        assert runtime.adoption.ready


async def test_an_unreadable_base_url_is_refused(database_file: Path) -> None:
    """One sentence that names the variable."""
    wrong = settings(database_file.parent, LLM_OLLAMA_BASE_URL="http://a@b/")
    with pytest.raises(ConfigurationError, match=r"^LLM_OLLAMA_BASE_URL "):
        await open_runtime(wrong).__aenter__()


async def test_an_error_inside_closes_it(boot: Settings) -> None:
    """And is the caller's to see."""

    async def fail() -> None:
        async with open_runtime(boot):
            msg = "the caller's own"
            raise LookupError(msg)

    with pytest.raises(LookupError):
        await fail()
    with pytest.raises(RuntimeNotOpen):
        current_runtime()


def test_closing_leaves_nothing_open(tmp_path: Path) -> None:
    """No connection, file, thread or client of litellm's: a warning of any would end the child."""
    migrate(f"sqlite:///{tmp_path / 'aurorasoc.db'}")
    with VendorServer(plays=["ollama"]) as ollama:
        env = bare_env(
            AURORA_STATE_DIR=str(tmp_path),
            JWT_SECRET_KEY=JWT_SECRET,
            LLM_BACKEND="ollama",
            LLM_OLLAMA_BASE_URL=ollama.url,
        )
        argv = [sys.executable, "-X", "dev", "-W", "ignore", "-W", "always::ResourceWarning"]
        with ChildProcess([*argv, "-c", CHILD], env=env, log=tmp_path / "log") as child:
            assert child.wait(90) == 0, child.output
    assert child.output.count("answer: granite4:8b says: pong") == 2
    assert "closed" in child.output
    for trouble in ("ResourceWarning", "Unclosed", "never awaited", "was destroyed", "Traceback"):
        assert trouble not in child.output
