"""Operators write to Vault too, by hand, and are heard within the poll interval."""

import asyncio
import json
from dataclasses import replace

import pytest

from aurorasoc.core.vault.answers import VaultProblem
from aurorasoc.errors import OutcomeUnknown
from aurorasoc.llm.keys.vault_watch import LAG_US
from aurorasoc.runtime import Runtime, open_runtime
from tests.component.live import until
from tests.world.vault.faults import NEVER_EXISTED, VaultFault, VaultFaultProxy
from tests.world.vault.members import (
    ACTOR,
    DEEPSEEK,
    EITHER,
    KEY,
    NAMED,
    OTHER_KEY,
    House,
    member,
)

CHANGED = "llm.key.changed_in_vault"
VENDOR = "https://api.deepseek.com:443"


def elsewhere(house: House) -> dict[str, str]:
    """Return the variable that leads the house's connection to another address."""
    name = house.connection.upper().replace("-", "_")
    prefix = "LLM" if house.connection == DEEPSEEK else "LLM_CONNECTION"
    return {f"{prefix}_{name}_BASE_URL": "https://elsewhere.example/v1"}


def key_of(runtime: Runtime) -> str | None:
    """Return DeepSeek's key in force in a running process."""
    key = runtime.adoption.snapshot.connections[DEEPSEEK].credential.api_key
    return key.get_secret_value() if key else None


async def test_a_hand_written_key_comes_into_force_by_itself(house: House) -> None:
    """A running process adopts a secret with `api_key` alone, and its removal."""
    async with open_runtime(house.boot()) as runtime:
        house.put(api_key=KEY)
        await until(lambda: key_of(runtime) == KEY)
        house.put(api_key=OTHER_KEY)
        await until(lambda: key_of(runtime) == OTHER_KEY)
        # That a secret is gone is believed once every standby must know of the last change.
        await house.stored.executed(f"UPDATE llm_revisions SET at_us = at_us - {LAG_US}")  # noqa: S608 - a number
        house.remove()
        await until(lambda: key_of(runtime) is None)
    assert house.actions() == [CHANGED] * 3
    await asyncio.to_thread(house.check_one_truth)


async def test_a_hand_written_key_belongs_to_the_vendor(house: House) -> None:
    """Without an origin it is bound to the catalog's own."""
    async with member(house.boot()) as process:
        house.put(api_key=KEY)
        await process.watch.poll()
        assert (process.credential.state, process.credential.origin) == ("usable", VENDOR)


async def test_a_hand_written_key_is_not_sent_elsewhere(house: House) -> None:
    """Where the base URL leads to another origin, the key isn't in force."""
    boot = house.boot(LLM_DEEPSEEK_BASE_URL="https://elsewhere.example/v1")
    async with member(boot) as process:
        house.put(api_key=KEY)
        await process.watch.poll()
        assert (process.key, process.credential.state) == (None, "needs_reentry")


@EITHER
async def test_a_hand_written_origin_binds_the_key(house: House) -> None:
    """It is in force there, and not at the vendor's."""
    boot = house.boot(**elsewhere(house))
    async with member(boot) as there, member(house.boot()) as at_the_vendors:
        house.put(api_key=KEY, origin="https://elsewhere.example")
        await there.watch.poll()
        await at_the_vendors.adoption.adopt()
        assert (there.key, at_the_vendors.key) == (KEY, None)


@EITHER
@pytest.mark.parametrize("origin", ["https://user@api.deepseek.com", "nonsense", ""])
async def test_an_origin_that_cant_be_read_binds_the_key_to_nowhere(
    house: House, origin: str
) -> None:
    """It was meant for some address, and that isn't the vendor's."""
    async with member(house.boot()) as process:
        house.put(api_key=KEY, origin=origin)
        await process.watch.poll()
        assert (process.key, process.credential.state) == (None, "needs_reentry")


@EITHER
@pytest.mark.parametrize("origin", [{}, {"origin": VENDOR}], ids=["none", "the vendor's"])
async def test_a_row_that_is_altered_moves_no_key(house: House, origin: dict[str, str]) -> None:
    """Who can write to the database alone can't have the key sent elsewhere."""
    boot = house.boot(**elsewhere(house))
    async with member(boot) as process:
        house.put(api_key=KEY, **origin)
        await process.watch.poll()
        await house.stored.executed(
            "UPDATE llm_provider_credentials SET origin = 'https://elsewhere.example:443'"
        )
        await process.adoption.adopt()
        assert (process.key, process.credential.state) == (None, "needs_reentry")


async def test_a_line_end_is_no_part_of_a_key(house: House) -> None:
    """`echo key | vault kv put … api_key=-` leaves one."""
    async with member(house.boot()) as process:
        house.put(api_key=f"{KEY}\n")
        await process.watch.poll()
        assert process.key == KEY


@pytest.mark.parametrize("key", ["two words", "caf\u00e9-0123456789", "line\nline-0123"])
async def test_a_key_that_fits_no_header_is_not_in_force(house: House, key: str) -> None:
    """Libraries would put it into the text of their exceptions."""
    async with member(house.boot()) as process:
        house.put(api_key=key)
        await process.watch.poll()
        problem = process.credential.problem
        assert problem is not None
        assert (process.key, process.credential.state, problem.code) == (
            None,
            "needs_reentry",
            "key_unusable",
        )


async def test_what_is_no_text_is_no_key(house: House) -> None:
    """JSON's null doesn't become a key named None."""
    async with member(house.boot()) as process:
        path = f"{house.mount}/data/aurorasoc/llm-providers/deepseek"
        house.vault.call("POST", path, {"data": {"api_key": None}})
        await process.watch.poll()
        assert process.credential.state == "absent"


async def test_two_watching_processes_make_one_revision(house: House) -> None:
    """One wins the pin; both have the key, and one entry tells of it."""
    async with member(house.boot()) as one, member(house.boot()) as two:
        house.put(api_key=KEY)
        await asyncio.gather(one.watch.poll(), two.watch.poll())
        await asyncio.gather(one.adoption.follow(), two.adoption.follow())  # as the feed does
        assert (one.key, two.key) == (KEY, KEY)
    assert (house.actions(), house.revision()) == ([CHANGED], 1)


@EITHER
async def test_two_watching_processes_make_one_revision_of_a_removal(house: House) -> None:
    """One wins; neither has the key any more."""
    async with member(house.boot()) as one, member(house.boot()) as two:
        await one.set_key()
        await two.adoption.adopt()
        house.remove()
        await asyncio.gather(one.watch.poll(), two.watch.poll())
        await asyncio.gather(one.adoption.follow(), two.adoption.follow())  # as the feed does
        assert (one.key, two.key) == (None, None)
    assert (house.actions()[2:], house.revision()) == ([CHANGED], 2)


async def test_the_entry_tells_of_the_change_and_not_of_the_key(house: House) -> None:
    """Who did it is Vault's to say; the version is named."""
    async with member(house.boot()) as process:
        house.put(api_key=KEY)
        await process.watch.poll()
    ((actor, entry),) = house.stored.rows("SELECT actor, entry FROM user_audit_log")
    details = json.loads(entry)["details"]
    assert (actor, details["vault_version"], KEY in entry) == ("vault", 1, False)


@EITHER
async def test_a_soft_deletion_drops_the_key(house: House) -> None:
    """As `vault kv delete` leaves it."""
    async with member(house.boot()) as process:
        await process.set_key()
        path = f"{house.mount}/data/aurorasoc/llm-providers/{house.connection}"
        house.vault.call("DELETE", path)
        await process.watch.poll()
        assert (process.key, house.key_version()) == (None, None)


async def test_a_key_set_over_a_soft_deletion_is_in_force(house: House) -> None:
    """Check-and-set counts the deleted version."""
    async with member(house.boot()) as process:
        await process.set_key()
        house.vault.call("DELETE", f"{house.mount}/data/aurorasoc/llm-providers/deepseek")
        await process.watch.poll()
        await process.set_key(OTHER_KEY)
        assert (process.key, (house.key_version() or (0,))[0]) == (OTHER_KEY, 2)


async def test_a_rewritten_first_version_is_adopted(house: House) -> None:
    """Removed and written anew it is version one again, and yet another secret."""
    async with member(house.boot()) as process:
        await process.set_key()
        house.remove()
        house.put(api_key=OTHER_KEY)
        await process.watch.poll()
        assert process.key == OTHER_KEY


@EITHER
@pytest.mark.parametrize("fields", [{"apikey": KEY}, {"api_key": ""}], ids=["misspelt", "empty"])
async def test_a_secret_without_a_key_is_none(house: House, fields: dict[str, str]) -> None:
    """It comes into no process, and is in no one's way."""
    async with member(house.boot()) as process:
        house.put(**fields)
        await process.watch.poll()
        await process.set_key()
        assert process.key == KEY


async def test_a_fresh_pin_outlives_a_standby_that_does_not_know_it(
    house: House, proxy: VaultFaultProxy
) -> None:
    """That nothing is there isn't believed of what was pinned a moment ago."""
    async with member(house.boot(proxy.url)) as process:
        await process.set_key()
        patient = replace(process.watch, lag_us=LAG_US)
        with proxy.held(VaultFault(method="GET", where="/data/", answer=NEVER_EXISTED)):
            await patient.poll()
        assert (process.key, house.key_version() is not None) == (KEY, True)


async def test_a_deleted_key_is_not_taken_back_from_a_standby_that_still_has_it(
    house: House, proxy: VaultFaultProxy
) -> None:
    """Nor is it believed that an operator wrote what was deleted a moment ago."""
    async with member(house.boot(proxy.url)) as process:
        await process.set_key()
        await process.watch.poll()
        await process.delete_key()
        patient = replace(process.watch, lag_us=LAG_US)
        with proxy.held(VaultFault(method="GET", where="/data/", stale=True)):
            await patient.poll()
        assert (process.key, house.key_version()) == (None, None)


async def test_what_is_under_way_is_not_taken_for_an_operators(
    house: House, proxy: VaultFaultProxy
) -> None:
    """A watching process leaves an open intent's secret to the intent."""
    async with member(house.boot(proxy.url)) as process, member(house.boot()) as peer:
        lost = VaultFault(method="POST", where="/data/", lose="reset")
        with proxy.held(lost), pytest.raises(OutcomeUnknown):
            await process.set_key()
        await peer.watch.poll()
        assert (peer.key, house.actions()) == (None, ["llm.key.intended"])


async def test_a_mount_that_is_gone_drops_no_key(house: House) -> None:
    """A wrong mount is trouble, and no deletion."""
    async with member(house.boot()) as process:
        await process.set_key()
        house.vault.call("DELETE", f"sys/mounts/{house.mount}")
        with pytest.raises(VaultProblem):
            await process.watch.poll()
        assert process.key == KEY


async def test_an_operators_key_was_set_by_vault_when_vault_says(house: House) -> None:
    """The moment is the version's own."""
    async with member(house.boot()) as process:
        house.put(api_key=KEY)
        await process.watch.poll()
        assert process.credential.set_by == "vault"
        assert process.credential.set_us is not None


async def test_a_key_set_over_rest_names_its_setter(house: House) -> None:
    """The store is another, the setter the same."""
    async with member(house.boot()) as process:
        await process.set_key()
        assert process.credential.set_by == ACTOR
        assert process.credential.set_us is not None


# --- a named connection ------------------------------------------------------------------------


@pytest.mark.parametrize("house", [NAMED], indirect=True)
async def test_a_named_connections_key_without_an_origin_belongs_nowhere(house: House) -> None:
    """The inventory says what to write beside it."""
    async with member(house.boot()) as process:
        house.put(api_key=KEY)
        await process.watch.poll()
        problem = process.credential.problem
        assert problem is not None
        assert (process.key, process.credential.state, problem.code) == (
            None,
            "needs_reentry",
            "key_unusable",
        )
        assert "origin" in problem.detail
        house.put(api_key=KEY, origin="https://api.deepseek.com")
        await process.watch.poll()
        assert process.key == KEY


@pytest.mark.parametrize("kind", ["openai", "anthropic", "gemini", "vllm", "deepseek"])
@pytest.mark.parametrize("origin", [{}, {"origin": "https://gw.example"}], ids=["none", "its own"])
async def test_a_kind_that_is_changed_in_the_database_moves_no_key(
    house: House, kind: str, origin: dict[str, str]
) -> None:
    """Each kind has a default address, and the row alone says which kind it is."""
    row = "INSERT INTO llm_provider_config (provider, kind, model) VALUES ('eu', 'openai', 'm')"
    await house.stored.executed(row)
    async with member(house.boot()) as process:
        house.put("eu", api_key=KEY, **origin)
        await process.watch.poll()
        await house.stored.executed(f"UPDATE llm_provider_config SET kind = '{kind}'")  # noqa: S608 - ours
        config = (await process.adoption.adopt()).connections["eu"]
    assert (str(config.provider), config.credential.api_key) == (kind, None)
