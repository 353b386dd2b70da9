"""When the key that a change replaced was last used, by this process or another live one."""

import json
from typing import Final

import pytest
from beeai_framework.backend.message import UserMessage
from pydantic import SecretStr
from sqlalchemy import select

from aurorasoc import get_chat_model
from aurorasoc.core.clock import iso, now_us
from aurorasoc.core.database.tables import InstanceRow
from aurorasoc.llm.changes import key_edits
from aurorasoc.llm.fleet.key_reports import key_last_sent
from aurorasoc.llm.fleet.live import lifetime_us
from aurorasoc.llm.fleet.registry import FleetAdoption
from aurorasoc.llm.models import test_run
from aurorasoc.llm.mutations import MutationAnswer
from aurorasoc.llm.wire.key_uses import KEY_USES
from aurorasoc.runtime import Runtime
from tests.component.live import KEYS, World
from tests.component.llm.fleet.fleet_world import report
from tests.examples import OTHER_API_KEY

ALL: Final = FleetAdoption(adopted=True, pending=[])
OLD: Final = "sk-old-0123456789abcdef"
NOON: Final = 1_800_000_000_000_000


@pytest.fixture(autouse=True)
def nothing_sent() -> None:
    """Forget what other tests sent in this process."""
    KEY_USES._sent_us.clear()


@pytest.fixture
async def keyed(runtime: Runtime) -> Runtime:
    """Return a runtime with a stored key that nobody has sent yet."""
    await _set_key(runtime, OLD)
    return runtime


async def _set_key(runtime: Runtime, key: str) -> MutationAnswer:
    change = key_edits.set_key("deepseek", SecretStr(key))
    return await runtime.admin.change(change, actor="alice")


async def _last_sent(runtime: Runtime, key: str = OLD) -> int | None:
    return await key_last_sent(runtime.database, runtime.adoption.tags_of(SecretStr(key)))


async def _ask() -> None:
    await get_chat_model().run([UserMessage("ping")])


async def test_call_notes_when_its_key_left(keyed: Runtime, world: World) -> None:
    """Between its beginning and its end, by this process's clock."""
    world.keyed.keys["deepseek"] = OLD
    before = now_us()
    await _ask()
    last = await _last_sent(keyed)
    world.keyed.keys["deepseek"] = KEYS["deepseek"]
    assert last is not None
    assert before <= last <= now_us()


async def test_listing_models_notes_it_too(keyed: Runtime) -> None:
    """The vendor would see a revoked key there as well: it refuses this one."""
    with pytest.raises(Exception, match="refused the key"):
        await keyed.admin.models("deepseek")
    assert await _last_sent(keyed) is not None


async def test_answer_says_when_the_replaced_key_was_last_used(keyed: Runtime) -> None:
    """And null if no live process has sent it since it started."""
    answer = await _set_key(keyed, OTHER_API_KEY)
    assert answer.old_key_tags == keyed.adoption.tags_of(SecretStr(OLD))
    assert answer.adopted_by(ALL, NOON).old_key_last_used_at == iso(NOON)
    assert answer.adopted_by(ALL, None).old_key_last_used_at is None


async def test_nothing_is_said_where_nobody_asked_or_no_key_was_replaced(keyed: Runtime) -> None:
    """The empty text stays out of the answer."""
    again = await _set_key(keyed, OLD)
    replaced = await _set_key(keyed, OTHER_API_KEY)
    assert again.adopted_by(ALL, NOON).old_key_last_used_at == ""
    assert replaced.adopted_by(None, NOON).old_key_last_used_at == ""


async def test_use_by_another_live_process_counts(keyed: Runtime) -> None:
    """The latest of all."""
    (tag,) = keyed.adoption.tags_of(SecretStr(OLD))
    for instance, at in (("one", NOON), ("two", NOON - 1)):
        keys_sent = json.dumps({tag: at, "another": NOON + 5})
        await report(keyed.database, keyed.adoption, instance, keys_sent=keys_sent)
    assert await _last_sent(keyed) == NOON


async def test_process_that_is_gone_does_not_count(keyed: Runtime) -> None:
    """Its row has expired: it can't use the key any more."""
    (tag,) = keyed.adoption.tags_of(SecretStr(OLD))
    age = lifetime_us(keyed.database) / 1e6 + 5
    keys_sent = json.dumps({tag: NOON})
    await report(keyed.database, keyed.adoption, "one", keys_sent=keys_sent, age=age)
    assert await _last_sent(keyed) is None


@pytest.mark.parametrize("keys_sent", ["", "[]", "{", '{"TAG": "x"}', '{"TAG": true}', "null"])
async def test_report_that_no_process_of_ours_wrote_is_ignored(
    keyed: Runtime, keys_sent: str
) -> None:
    """Rows can be altered."""
    (tag,) = keyed.adoption.tags_of(SecretStr(OLD))
    await report(keyed.database, keyed.adoption, "one", keys_sent=keys_sent.replace("TAG", tag))
    assert await _last_sent(keyed) is None


async def test_process_reports_tags_and_times_alone(keyed: Runtime, world: World) -> None:
    """With its next report, which every adoption causes; the key itself is nowhere."""
    world.keyed.keys["deepseek"] = OLD
    await _ask()
    world.keyed.keys["deepseek"] = KEYS["deepseek"]
    sent = await _last_sent(keyed)
    answer = await _set_key(keyed, OTHER_API_KEY)
    adoption = await keyed.fleet.adoption_of(answer.revision, 60, None)
    async with keyed.database.reading() as session:
        (row,) = await session.scalars(select(InstanceRow))
    assert adoption.adopted
    assert json.loads(row.keys_sent or "")[answer.old_key_tags[0]] == sent


async def test_key_that_is_made_up_for_a_test_is_not_taken_for_the_real_one(
    keyed: Runtime,
) -> None:
    """The wrong key that shows whether an endpoint checks keys."""
    tests = test_run.TestRuns(keyed.database, keyed.audit, keyed.pool, keyed.admin.ledger)
    snapshot = keyed.adoption.snapshot
    binding = keyed.pool.of_connection("deepseek", "specialist", snapshot)
    wrong = tests._wrong_key(binding.reference, snapshot)
    assert wrong is not None
    assert (binding.reference.key_tag != "", wrong.reference.key_tag) == (True, "")
