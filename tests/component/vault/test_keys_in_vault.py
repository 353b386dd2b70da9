"""A key on its way into Vault: intent, write, activation, and what each lost answer leads to."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import SecretStr

from aurorasoc.core.vault import transport
from aurorasoc.core.vault.answers import VaultProblem
from aurorasoc.errors import ChangeInProgress, OutcomeUnknown
from aurorasoc.llm.changes import edits
from aurorasoc.llm.keys.doctor import examine
from tests.component.live import until
from tests.component.vault.conftest import GIVEN_UP_AFTER
from tests.examples import config_request
from tests.world.canaries import found
from tests.world.vault.faults import Gate, VaultFault, VaultFaultProxy, error
from tests.world.vault.members import (
    DEEPSEEK,
    EITHER,
    KEY,
    OTHER_KEY,
    House,
    Member,
    build_house,
    member,
)
from tests.world.vault.server import VaultServer

LOST = VaultFault(method="POST", where="/data/", lose="reset")
NOT_TAKEN = VaultFault(method="POST", where="/data/", answer=error(504, "gateway time-out"))
INTENDED, ABANDONED = "llm.key.intended", "llm.key.abandoned"


@asynccontextmanager
async def without_audit_log(house: House) -> AsyncIterator[None]:
    """Take the audit log's table away, so that no change can be written."""
    await house.stored.executed("ALTER TABLE user_audit_log RENAME TO elsewhere")
    yield
    await house.stored.executed("ALTER TABLE elsewhere RENAME TO user_audit_log")


async def lose(process: Member, proxy: VaultFaultProxy, key: str = KEY) -> str:
    """Set a key whose answer is lost after Vault has taken it; give the operation's id."""
    with proxy.held(LOST), pytest.raises(OutcomeUnknown) as caught:
        await process.set_key(key)
    return caught.value.operation_id


# --- the straight way --------------------------------------------------------------------------


@EITHER
async def test_a_key_is_set_and_pinned(house: House) -> None:
    """The version in Vault is the one in force."""
    async with member(house.boot()) as process:
        await process.set_key()
        assert (process.key, process.credential.source) == (KEY, "vault")
    await asyncio.to_thread(house.check_one_truth)


@EITHER
async def test_the_secret_says_who_wrote_it_and_for_which_origin(house: House) -> None:
    """All five fields are there."""
    async with member(house.boot()) as process:
        await process.set_key()
    secret = house.secret()
    assert secret is not None
    fields = secret["data"]
    assert set(fields) == {"api_key", "origin", "operation_id", "set_by", "set_at"}
    assert fields["origin"] == "https://api.deepseek.com:443"


async def test_a_key_is_replaced_by_a_new_version(house: House) -> None:
    """The one before it is no longer in force."""
    async with member(house.boot()) as process:
        await process.set_key()
        await process.set_key(OTHER_KEY)
        assert (process.key, (house.in_vault() or (0,))[0]) == (OTHER_KEY, 2)
    await asyncio.to_thread(house.check_one_truth)


@EITHER
async def test_a_deleted_key_leaves_no_version(house: House) -> None:
    """Neither in Vault nor in force."""
    async with member(house.boot()) as process:
        await process.set_key()
        await process.delete_key()
        assert (process.key, house.secret(), house.key_version()) == (None, None, None)
    await asyncio.to_thread(house.check_one_truth)


@EITHER
async def test_a_key_set_after_a_deletion_is_in_force(house: House) -> None:
    """Versions begin at one again, and the operation id tells them apart."""
    async with member(house.boot()) as process:
        await process.set_key()
        await process.delete_key()
        await process.set_key(OTHER_KEY)
        await process.watch.poll()
        assert process.key == OTHER_KEY
    await asyncio.to_thread(house.check_one_truth)


async def test_intent_and_outcome_are_audited(house: House) -> None:
    """Each change is two entries and one revision."""
    async with member(house.boot()) as process:
        await process.set_key()
        await process.delete_key()
    expected = [INTENDED, "llm.key.set", INTENDED, "llm.key.deleted"]
    assert (house.actions(), house.revision()) == (expected, 2)


@EITHER
async def test_a_configuration_is_activated_with_its_key(house: House) -> None:
    """Model and key come into force in one revision."""
    async with member(house.boot()) as process:
        snapshot = await process.configure("chosen")
        assert (snapshot.requested.value, process.config.model.value) == (
            house.connection,
            "chosen",
        )
        assert (process.key, house.revision()) == (KEY, 1)


async def test_a_preview_writes_nothing(house: House, proxy: VaultFaultProxy) -> None:
    """What `verify=true` tests first reaches neither Vault nor the database."""
    async with member(house.boot(proxy.url)) as process:
        requested = config_request("deepseek", model="m", api_key=SecretStr(KEY))
        change = edits.switch(process.settings, requested)
        planned = await process.changer.preview(change, actor="alice", if_match=None)
        assert planned.candidate.connections[DEEPSEEK].credential.state == "usable"
    assert (proxy.seen(method="POST"), house.actions(), house.intents()) == ([], [], [])


# --- a lost answer -----------------------------------------------------------------------------


async def test_a_lost_answer_is_an_unknown_outcome(house: House, proxy: VaultFaultProxy) -> None:
    """The error names the operation that the open intent and the secret bear."""
    async with member(house.boot(proxy.url)) as process:
        operation_id = await lose(process, proxy)
        assert process.key is None
    assert house.intents() == [("set", operation_id)]
    assert house.in_vault() == (1, operation_id, KEY)


@EITHER
async def test_the_same_key_again_settles_it_with_one_version(
    house: House, proxy: VaultFaultProxy
) -> None:
    """What Vault took before its answer was lost isn't written twice."""
    async with member(house.boot(proxy.url)) as process:
        operation_id = await lose(process, proxy)
        await process.set_key()
        assert (process.key, house.in_vault()) == (KEY, (1, operation_id, KEY))
    await asyncio.to_thread(house.check_one_truth)


@pytest.mark.soak
async def test_the_same_key_again_after_a_silence_settles_it_with_one_version(
    house: House, proxy: VaultFaultProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A time-out after Vault committed leaves exactly one version after the retry."""
    gate, silent = Gate(), replace(LOST, lose="silence")
    looked_at = VaultFault(method="GET", where="/data/", gate_after=gate)
    async with member(house.boot(proxy.url)) as process:
        with proxy.held(looked_at, silent):
            setting = asyncio.create_task(process.set_key())
            await gate.occupied()
            with monkeypatch.context() as patch:  # for the write, which comes next
                patch.setattr(transport, "CALL_SECONDS", GIVEN_UP_AFTER)
                gate.open()
                with pytest.raises(OutcomeUnknown):
                    await setting
        await process.set_key()
        assert (process.key, (house.in_vault() or (0,))[0]) == (KEY, 1)
    await asyncio.to_thread(house.check_one_truth)


async def test_the_same_key_again_is_written_if_it_had_not_been(
    house: House, proxy: VaultFaultProxy
) -> None:
    """A request that a proxy gave up on is undecided as well."""
    async with member(house.boot(proxy.url)) as process:
        with proxy.held(NOT_TAKEN), pytest.raises(OutcomeUnknown):
            await process.set_key()
        assert house.secret() is None
        await process.set_key()
        assert (process.key, (house.in_vault() or (0,))[0]) == (KEY, 1)
    await asyncio.to_thread(house.check_one_truth)


@EITHER
async def test_another_key_is_refused_while_one_is_unsettled(
    house: House, proxy: VaultFaultProxy
) -> None:
    """So is a deletion, and a call of the provider's configuration."""
    async with member(house.boot(proxy.url)) as process:
        await lose(process, proxy)
        for call in (process.set_key(OTHER_KEY), process.delete_key(), process.configure("other")):
            with pytest.raises(ChangeInProgress):
                await call
    assert (house.in_vault() or (0,))[0] == 1


async def test_a_deletion_again_settles_the_deletion(house: House, proxy: VaultFaultProxy) -> None:
    """Who lost its answer may repeat it at once."""
    async with member(house.boot(proxy.url)) as process:
        await process.set_key()
        fault = VaultFault(method="DELETE", lose="reset")
        with proxy.held(fault), pytest.raises(OutcomeUnknown):
            await process.delete_key()
        await process.delete_key()
        assert process.key is None
    await asyncio.to_thread(house.check_one_truth)


@EITHER
async def test_the_watch_pins_what_was_written(house: House, proxy: VaultFaultProxy) -> None:
    """Without a retry, an intent is settled from what Vault holds."""
    async with member(house.boot(proxy.url)) as process:
        operation_id = await lose(process, proxy)
        await process.watch.settle()
        assert (process.key, house.key_version()) == (KEY, (1, operation_id))
    await asyncio.to_thread(house.check_one_truth)


@EITHER
async def test_the_watch_activates_what_waited_for_the_key(
    house: House, proxy: VaultFaultProxy
) -> None:
    """A configuration whose key's answer was lost comes into force with the pin."""
    async with member(house.boot(proxy.url)) as process:
        with proxy.held(LOST), pytest.raises(OutcomeUnknown):
            await process.configure("chosen")
        assert process.config.model.value != "chosen"
        await process.watch.settle()
        requested = process.adoption.snapshot.requested.value
        assert (requested, process.config.model.value) == (house.connection, "chosen")


@EITHER
async def test_the_watch_withdraws_what_was_not_written(
    house: House, proxy: VaultFaultProxy
) -> None:
    """The audit log tells that the change came to nothing."""
    async with member(house.boot(proxy.url)) as process:
        with proxy.held(NOT_TAKEN), pytest.raises(OutcomeUnknown):
            await process.set_key()
        await process.watch.settle()
        assert (process.key, house.actions()) == (None, [INTENDED, ABANDONED])
    await asyncio.to_thread(house.check_one_truth)


@EITHER
async def test_a_removal_leaves_alone_what_an_operator_wrote_after_it(
    house: House, proxy: VaultFaultProxy
) -> None:
    """Settling goes forward: nothing that came later is undone."""
    async with member(house.boot(proxy.url)) as process:
        await process.set_key()
        fault = VaultFault(method="DELETE", lose="reset")
        with proxy.held(fault), pytest.raises(OutcomeUnknown):
            await process.delete_key()
        house.put(api_key=OTHER_KEY, origin="https://api.deepseek.com")
        await process.watch.settle()
        await process.watch.poll()
        assert process.key == OTHER_KEY


async def test_the_doctor_shows_an_open_intent(house: House, proxy: VaultFaultProxy) -> None:
    """With the operation's id, and that repeating it is safe."""
    async with member(house.boot(proxy.url)) as process:
        operation_id = await lose(process, proxy)
        findings = await examine(process.database, process.keyring, process.adoption)
    (finding,) = (f for f in findings if f.kind == "unsettled intent")
    assert (finding.name, finding.healthy, operation_id in finding.advice) == (
        "deepseek",
        False,
        True,
    )


async def test_no_key_is_in_the_database_at_any_time(house: House, proxy: VaultFaultProxy) -> None:
    """Neither while Vault has yet to be asked, nor while the answer is out, nor afterwards."""
    before, after = Gate(), Gate()
    gated = VaultFault(method="POST", where="/data/", gate_before=before, gate_after=after)
    seen = {}
    async with member(house.boot(proxy.url)) as process:
        with proxy.held(gated):
            setting = asyncio.create_task(process.set_key())
            await before.occupied()
            seen["before"] = house.stored.stored_bytes()
            before.open()
            await after.occupied()
            seen["out"] = house.stored.stored_bytes()
            after.open()
            await setting
        seen["afterwards"] = house.stored.stored_bytes()
    assert found([KEY], seen) == []


async def test_a_late_answer_is_not_taken_for_success(house: House, proxy: VaultFaultProxy) -> None:
    """Another process had withdrawn the intent; the key is adopted like an operator's."""
    gate = Gate()
    late = VaultFault(method="POST", where="/data/", gate_before=gate)
    async with member(house.boot(proxy.url)) as process, member(house.boot()) as peer:
        with proxy.held(late):
            setting = asyncio.create_task(process.set_key())
            await gate.occupied()
            await peer.watch.settle()
            gate.open()
            with pytest.raises(OutcomeUnknown):
                await setting
        await peer.watch.poll()
        assert peer.key == KEY
    assert house.actions() == [INTENDED, ABANDONED, "llm.key.changed_in_vault"]
    await asyncio.to_thread(house.check_one_truth)


async def test_a_pin_that_the_database_refuses_is_an_unknown_outcome(
    house: House, proxy: VaultFaultProxy
) -> None:
    """Vault took the key, so that "nothing was changed" would be wrong; the retry settles it."""
    gate = Gate()
    held = VaultFault(method="POST", where="/data/", gate_after=gate)
    async with member(house.boot(proxy.url)) as process:
        with proxy.held(held):
            setting = asyncio.create_task(process.set_key())
            await gate.occupied()
            async with without_audit_log(house):
                gate.open()
                with pytest.raises(OutcomeUnknown):
                    await setting
        await process.set_key()
        assert (process.key, (house.in_vault() or (0,))[0]) == (KEY, 1)
    await asyncio.to_thread(house.check_one_truth)


async def test_the_same_key_from_two_processes_at_once_is_one_version(
    house: House, proxy: VaultFaultProxy
) -> None:
    """Both are told that it is in force."""
    gate = Gate()
    held = VaultFault(method="POST", where="/data/", gate_before=gate)
    async with member(house.boot(proxy.url)) as one, member(house.boot(proxy.url)) as two:
        with proxy.held(held):
            first = asyncio.create_task(one.set_key())
            await gate.occupied()
            second = asyncio.create_task(two.set_key())
            await until(lambda: len(proxy.seen("/data/", "GET")) > 1)
            gate.open()
            await asyncio.gather(first, second)
        assert (one.key, two.key, (house.in_vault() or (0,))[0]) == (KEY, KEY, 1)
    assert house.actions() == [INTENDED, "llm.key.set"]
    await asyncio.to_thread(house.check_one_truth)


async def test_two_watching_processes_settle_an_intent_once(
    house: House, proxy: VaultFaultProxy
) -> None:
    """One outcome is audited, and one revision made."""
    async with member(house.boot(proxy.url)) as one, member(house.boot()) as two:
        await lose(one, proxy)
        await asyncio.gather(one.watch.settle(), two.watch.settle())
    assert (house.actions(), house.revision()) == ([INTENDED, "llm.key.set"], 1)


# --- where it was set elsewhere ---------------------------------------------------------------


@EITHER
async def test_the_same_key_on_a_process_that_has_not_adopted_it_makes_no_second_version(
    house: House,
) -> None:
    """A client that repeats a request may reach another worker."""
    async with member(house.boot()) as one, member(house.boot()) as two:
        await one.set_key()
        assert two.credential.state == "absent"
        await two.set_key()
        assert (two.key, (house.in_vault() or (0,))[0], house.revision()) == (KEY, 1, 1)
    assert house.actions() == [INTENDED, "llm.key.set"] * 2
    await asyncio.to_thread(house.check_one_truth)


async def test_a_configuration_is_activated_with_a_key_that_was_set_elsewhere(
    house: House,
) -> None:
    """What comes with the key isn't lost because the key is there already."""
    async with member(house.boot()) as one, member(house.boot()) as two:
        await one.set_key()
        snapshot = await two.configure("chosen")
        assert snapshot.connections[DEEPSEEK].model.value == "chosen"
        assert (two.key, (house.in_vault() or (0,))[0], house.revision()) == (KEY, 1, 2)
    await asyncio.to_thread(house.check_one_truth)


async def test_another_key_on_a_process_that_has_not_adopted_is_a_new_version(
    house: House,
) -> None:
    """With the same last four characters, too."""
    alike = f"sk-other-{KEY[-4:]}"
    async with member(house.boot()) as one, member(house.boot()) as two:
        await one.set_key()
        await two.set_key(alike)
        assert (two.key, (house.in_vault() or (0,))[0]) == (alike, 2)
    await asyncio.to_thread(house.check_one_truth)


async def test_a_key_that_was_replaced_in_vault_is_written_again(house: House) -> None:
    """What is pinned is the same key, but it is no longer the one in Vault."""
    async with member(house.boot()) as one, member(house.boot()) as two:
        await one.set_key()
        house.put(api_key=OTHER_KEY)
        await two.set_key()
        assert (two.key, (house.in_vault() or (0,))[0]) == (KEY, 3)
    await asyncio.to_thread(house.check_one_truth)


async def test_the_process_that_set_a_key_does_not_ask_for_it(
    house: House, proxy: VaultFaultProxy
) -> None:
    """It has it; the others fetch it when they hear of it."""
    async with member(house.boot(proxy.url)) as process, member(house.boot()) as other:
        await process.set_key()
        proxy.clear()
        await process.adoption.follow()
        await other.adoption.follow()
        assert (process.key, other.key, proxy.seen("/data/")) == (KEY, KEY, [])


# --- sealed in the midst of it -----------------------------------------------------------------


@pytest.fixture
def own_house(vault: VaultServer, tmp_path: Path) -> House:
    """Build a house on a Vault that the test may seal."""
    return build_house(tmp_path / "house", vault)


async def test_sealed_before_a_write_nothing_changes(own_house: House) -> None:
    """A 503, and the intent and its end are audited."""
    async with member(own_house.boot()) as process:
        own_house.vault.seal()
        with pytest.raises(VaultProblem) as caught:
            await process.set_key()
        assert (caught.value.status_code, caught.value.trouble) == (503, "sealed")
        own_house.vault.unseal()
    assert (own_house.actions(), own_house.revision()) == ([INTENDED, ABANDONED], 0)
    await asyncio.to_thread(own_house.check_one_truth)


async def test_sealed_before_a_deletion_nothing_changes(own_house: House) -> None:
    """The key stays in force, from memory."""
    async with member(own_house.boot()) as process:
        await process.set_key()
        own_house.vault.seal()
        with pytest.raises(VaultProblem):
            await process.delete_key()
        assert process.key == KEY
        own_house.vault.unseal()
    await asyncio.to_thread(own_house.check_one_truth)


async def test_sealed_during_a_write_it_is_refused_or_reconciled(own_house: House) -> None:
    """Sealed between the look at the version and the write: nothing was written."""
    gate = Gate()
    with VaultFaultProxy(own_house.vault.url) as proxy:
        async with member(own_house.boot(proxy.url)) as process:
            with proxy.held(VaultFault(method="POST", where="/data/", gate_before=gate)):
                setting = asyncio.create_task(process.set_key())
                await gate.occupied()
                own_house.vault.seal()
                gate.open()
                with pytest.raises(VaultProblem):
                    await setting
            own_house.vault.unseal()
            await process.watch.settle()
            assert (process.key, own_house.secret()) == (None, None)
    await asyncio.to_thread(own_house.check_one_truth)


async def test_sealed_after_a_write_it_is_reconciled(own_house: House) -> None:
    """Vault took it and was sealed before the answer came: it is pinned once Vault is back."""
    gate = Gate()
    lost = VaultFault(method="POST", where="/data/", gate_after=gate, lose="reset")
    with VaultFaultProxy(own_house.vault.url) as proxy:
        async with member(own_house.boot(proxy.url)) as process:
            with proxy.held(lost):
                setting = asyncio.create_task(process.set_key())
                await gate.occupied()
                own_house.vault.seal()
                gate.open()
                with pytest.raises(OutcomeUnknown):
                    await setting
            with pytest.raises(VaultProblem):
                await process.watch.settle()
            assert len(own_house.intents()) == 1
            own_house.vault.unseal()
            await process.watch.settle()
            assert process.key == KEY
    await asyncio.to_thread(own_house.check_one_truth)


async def test_the_same_key_again_while_sealed_stays_unknown(own_house: House) -> None:
    """An earlier try may have been written: the intent isn't withdrawn."""
    with VaultFaultProxy(own_house.vault.url) as proxy:
        async with member(own_house.boot(proxy.url)) as process:
            await lose(process, proxy)
            own_house.vault.seal()
            with pytest.raises(OutcomeUnknown):
                await process.set_key()
    assert len(own_house.intents()) == 1
