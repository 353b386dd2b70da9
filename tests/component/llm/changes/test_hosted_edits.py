"""Hosted traffic, stopped and allowed again through a real runtime: who, since when and why."""

import json
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Final

import pytest
from beeai_framework.backend.message import UserMessage
from pydantic import ValidationError

from aurorasoc import get_chat_model
from aurorasoc.errors import HostedStopped, RevisionMismatch
from aurorasoc.llm.changes import edits
from aurorasoc.llm.changes.history import read_revision
from aurorasoc.llm.changes.requests import HostedTrafficRequest
from aurorasoc.llm.mutations import MutationAnswer
from aurorasoc.runtime import Runtime, open_runtime
from tests.examples import API_KEY, settings
from tests.world.databases import ON_BOTH, Stored

pytestmark = ON_BOTH

STOP: Final = {"state": "stopped", "reason": "breach at a vendor"}
ALLOW: Final = {"state": "allowed", "reason": "all clear"}


def opened(tmp_path: Path, stored: Stored) -> AbstractAsyncContextManager[Runtime]:
    """Open a runtime whose active connection is hosted."""
    variables = {
        "AURORA_DATABASE_URL": stored.url,
        "LLM_BACKEND": "deepseek",
        "LLM_DEEPSEEK_API_KEY": API_KEY,
    }
    return open_runtime(settings(tmp_path, **variables))


async def say(
    runtime: Runtime, said: dict[str, str], actor: str = "alice", if_match: int | None = None
) -> MutationAnswer:
    """Stop or allow, by the rules of REST."""
    body = HostedTrafficRequest.model_validate(said)
    return await runtime.admin.set_hosted_traffic(body, actor=actor, if_match=if_match)


def audited(stored: Stored) -> list[tuple[str, str, str | None, bool]]:
    """Return the audited stops and releases: action, actor, reason, and whether it changed."""
    rows = stored.rows("SELECT entry FROM user_audit_log ORDER BY seq")
    entries = [json.loads(entry) for (entry,) in rows]
    return [
        (one["action"], one["actor"], one["details"]["reason"], one["details"]["changed"])
        for one in entries
        if one["action"].startswith("llm.hosted.")
    ]


async def test_a_stop_says_who_since_when_and_why(tmp_path: Path, stored: Stored) -> None:
    """The inventory shows it, and a refused caller reads it."""
    async with opened(tmp_path, stored) as runtime:
        await runtime.pool.load()
        assert get_chat_model().model_id == "deepseek-v4-flash"
        await say(runtime, STOP)
        shown = (await runtime.admin.inventory()).hosted_traffic
        assert (shown.state, shown.by, shown.reason, shown.here) == (
            "stopped",
            "alice",
            "breach at a vendor",
            False,
        )
        with pytest.raises(HostedStopped, match="by alice") as refused:
            await get_chat_model().run([UserMessage("hello")])
        assert str(shown.since) in refused.value.detail


async def test_a_second_stop_changes_nothing(tmp_path: Path, stored: Stored) -> None:
    """The first one's time, name and reason stay; both are audited."""
    async with opened(tmp_path, stored) as runtime:
        await say(runtime, STOP)
        first = runtime.adoption.snapshot
        await say(runtime, {"state": "stopped"}, actor="bob")
        assert runtime.adoption.snapshot.hosted_traffic == first.hosted_traffic
        assert runtime.adoption.snapshot.revision == first.revision
    assert audited(stored) == [
        ("llm.hosted.stopped", "alice", "breach at a vendor", True),
        ("llm.hosted.stopped", "bob", None, False),
    ]


async def test_a_stop_survives_a_restart_until_it_is_released(
    tmp_path: Path, stored: Stored
) -> None:
    """Another process that starts later is stopped, too."""
    async with opened(tmp_path, stored) as runtime:
        await say(runtime, STOP)
    async with opened(tmp_path, stored) as runtime:
        await runtime.pool.load()
        with pytest.raises(HostedStopped):
            await get_chat_model().run([UserMessage("hello")])
        await say(runtime, ALLOW, actor="bob")
        assert get_chat_model().model_id == "deepseek-v4-flash"
        assert runtime.adoption.snapshot.hosted_traffic.by == "bob"
    assert audited(stored)[-1] == ("llm.hosted.allowed", "bob", "all clear", True)


async def test_a_release_needs_a_reason_and_a_reason_holds_no_secret() -> None:
    """A stop needs none: it is urgent."""
    assert HostedTrafficRequest.model_validate({"state": "stopped"}).reason is None
    for wrong in (
        {"state": "allowed"},
        {"state": "allowed", "reason": "  "},
        {"state": "stopped", "reason": "two\nlines"},
        {"state": "stopped", "reason": "rotate sk-ant-api03-0123456789abcdef"},
        {"state": "paused"},
    ):
        with pytest.raises(ValidationError):
            HostedTrafficRequest.model_validate(wrong)


async def test_a_stop_is_refused_for_its_revision_only_if_one_was_sent(
    tmp_path: Path, stored: Stored
) -> None:
    """Somebody else's change never stands in its way."""
    async with opened(tmp_path, stored) as runtime:
        await say(runtime, STOP)
        with pytest.raises(RevisionMismatch):
            await say(runtime, ALLOW, if_match=0)
        await say(runtime, ALLOW, if_match=1)


async def test_neither_reset_nor_rollback_ends_a_stop(tmp_path: Path, stored: Stored) -> None:
    """A release alone does, and says why."""
    async with opened(tmp_path, stored) as runtime:
        await say(runtime, STOP)
        await say(runtime, ALLOW)
        await say(runtime, STOP)
        await runtime.admin.change(edits.reset(), actor="bob")
        await runtime.admin.rollback(2, actor="bob")
        assert runtime.adoption.snapshot.stop is not None
        async with runtime.database.reading() as session:
            changes = (await read_revision(session, 2)).changes
    assert ("hosted_traffic.state", "stopped", "allowed") in [
        (one.field, one.before, one.after) for one in changes
    ]


async def test_a_state_that_no_change_wrote_allows_nothing(tmp_path: Path, stored: Stored) -> None:
    """Whoever writes the row by hand fails closed."""
    async with opened(tmp_path, stored) as runtime:
        await say(runtime, STOP)
        await stored.executed("UPDATE llm_runtime_config SET hosted_state = 'on'")
        await runtime.adoption.adopt()
        assert runtime.adoption.snapshot.stop is not None
