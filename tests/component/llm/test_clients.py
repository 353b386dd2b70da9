"""Machine clients through a real runtime: made, replaced and revoked, on both databases."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from pydantic import ValidationError

from aurorasoc.api.clients_auth import caller_of_door
from aurorasoc.config.clients import MAX_CLIENTS
from aurorasoc.config.settings import Settings
from aurorasoc.config.vocabulary import Tlp
from aurorasoc.core.access.client_secrets import client_principal
from aurorasoc.core.access.principal import Principal
from aurorasoc.core.access.tokens import create_token
from aurorasoc.core.audit.log import AuditLog
from aurorasoc.core.database.engine import Database
from aurorasoc.core.open_store import open_secret_store
from aurorasoc.errors import Conflict, NotFound, RevisionMismatch, Unauthenticated
from aurorasoc.llm.adoption.adopt import Adoption
from aurorasoc.llm.changes import edits
from aurorasoc.llm.changes.client_requests import ClientRequest
from aurorasoc.llm.changes.history import read_revision
from aurorasoc.llm.clients import ClientAdmin, ClientSecretAnswer
from aurorasoc.llm.fleet.client_uses import ClientUses
from aurorasoc.llm.keys.rotation import Rotation, survey
from aurorasoc.runtime import Runtime, open_runtime
from tests.examples import JWT_SECRET, OTHER_SEED, keyring, settings
from tests.world.databases import ON_BOTH, Stored

pytestmark = ON_BOTH

BUDGET: Final = {"per": "day", "tokens": 5000, "money": 2.5, "hard": True}


def on(stored: Stored, tmp_path: Path, **variables: str) -> Settings:
    """Return settings that lead to this database."""
    return settings(tmp_path, AURORA_DATABASE_URL=stored.url, LLM_BACKEND="ollama", **variables)


@pytest.fixture
async def runtime(stored: Stored, tmp_path: Path) -> AsyncIterator[Runtime]:
    """Open a runtime whose vendors nobody calls."""
    async with open_runtime(on(stored, tmp_path)) as runtime:
        yield runtime


async def made(runtime: Runtime, name: str = "siem", **fields: Any) -> ClientSecretAnswer:
    """Make a client, by the rules of REST."""
    body = ClientRequest.model_validate({"name": name, **fields})
    return await runtime.clients.create(body, actor="alice")


def admitted(runtime: Runtime, secret: str, now: datetime | None = None) -> Principal:
    """Return who may call with a secret."""
    return client_principal(secret, runtime.adoption.snapshot, now=now)


def reason_of(runtime: Runtime, secret: str, now: datetime | None = None) -> str:
    """Return why a secret is refused; all refusals read alike."""
    with pytest.raises(Unauthenticated, match="not valid here, or has expired") as refused:
        admitted(runtime, secret, now)
    return str(refused.value.reason)


async def test_a_secret_admits_its_client_with_what_it_may_do(runtime: Runtime) -> None:
    """Who it is, its ceiling and its end go with every call."""
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    answer = await made(runtime, max_tlp="AMBER", expires_at=tomorrow.isoformat(), budget=BUDGET)
    caller = admitted(runtime, answer.secret)
    assert (caller.subject, caller.client, caller.max_tlp) == ("client:siem", "siem", Tlp.AMBER)
    assert caller.expires_at == tomorrow
    assert caller.permissions == {"alerts:investigate"}
    assert runtime.adoption.snapshot.clients["siem"].budget is not None


async def test_no_secret_is_stored_or_recorded(runtime: Runtime, stored: Stored) -> None:
    """A table, the history and the audit log hold at most its keyed hash."""
    answer = await made(runtime)
    other = await runtime.clients.replace_secret("siem", grace=60, actor="alice")
    digest = runtime.adoption.snapshot.clients["siem"].digest
    recorded = [*stored.rows("SELECT config FROM llm_revisions")]
    recorded += stored.rows("SELECT entry FROM user_audit_log")
    rows = stored.rows("SELECT * FROM llm_clients")
    for secret in (answer.secret, other.secret):
        assert secret not in repr((recorded, rows))
    assert digest in repr(rows)
    assert digest not in repr(recorded)


async def test_the_history_says_what_became_of_a_client(runtime: Runtime) -> None:
    """In words, for everybody who reads it."""
    first = await made(runtime, max_tlp="AMBER")
    second = await runtime.clients.replace_secret("siem", grace=0, actor="bob")
    third = await runtime.clients.revoke("siem", actor="carol")
    summaries: list[str] = []
    async with runtime.database.reading() as session:
        for revision in (first.revision, second.revision, third.revision):
            summaries += (await read_revision(session, revision)).summary
    assert summaries == [
        "client siem: made, max_tlp none → AMBER",
        "client siem: secret replaced",
        "client siem: revoked",
    ]


async def test_changes_are_audited_by_name(runtime: Runtime, stored: Stored) -> None:
    """Each with who did it."""
    await made(runtime)
    await runtime.clients.replace_secret("siem", grace=60, actor="bob")
    await runtime.clients.revoke("siem", actor="carol")
    rows = stored.rows("SELECT action, actor, target FROM user_audit_log ORDER BY seq")
    assert rows == [
        ("llm.client.created", "alice", "client:siem"),
        ("llm.client.secret_replaced", "bob", "client:siem"),
        ("llm.client.revoked", "carol", "client:siem"),
    ]


async def test_an_old_secret_is_valid_for_its_time_of_grace(runtime: Runtime) -> None:
    """Its streams end then, too; the new one has no such end."""
    old = await made(runtime)
    new = await runtime.clients.replace_secret("siem", grace=60, actor="alice")
    end = admitted(runtime, old.secret).expires_at
    assert end is not None
    assert new.old_secret_until == end.isoformat().replace("+00:00", "Z")
    assert admitted(runtime, new.secret).expires_at is None
    assert "grace" in reason_of(runtime, old.secret, now=end)


async def test_at_most_two_secrets_are_valid(runtime: Runtime) -> None:
    """Whoever replaces twice ends the first one."""
    first = await made(runtime)
    second = await runtime.clients.replace_secret("siem", grace=60, actor="alice")
    third = await runtime.clients.replace_secret("siem", grace=60, actor="alice")
    assert "revoked" in reason_of(runtime, first.secret)
    assert admitted(runtime, second.secret) == admitted(runtime, third.secret)


async def test_without_grace_the_old_secret_ends_at_once(runtime: Runtime) -> None:
    """As after a leak."""
    old = await made(runtime)
    await runtime.clients.replace_secret("siem", grace=0, actor="alice")
    assert "revoked" in reason_of(runtime, old.secret)


async def test_an_expired_client_is_refused_with_both_secrets(runtime: Runtime) -> None:
    """A time of grace doesn't outlast the client."""
    soon = datetime.now(UTC) + timedelta(seconds=30)
    old = await made(runtime, expires_at=soon.isoformat())
    new = await runtime.clients.replace_secret("siem", grace=3600, actor="alice")
    assert admitted(runtime, old.secret, now=soon - timedelta(microseconds=1)).expires_at == soon
    assert "has passed" in reason_of(runtime, old.secret, now=soon)
    assert "expires_at" in reason_of(runtime, new.secret, now=soon)


@pytest.mark.parametrize("change", ["rollback", "reset"])
async def test_no_way_back_revives_or_removes_a_client(runtime: Runtime, change: str) -> None:
    """A revoked one stays revoked, one made since stays."""
    revoked = await made(runtime, "revoked")
    await runtime.clients.revoke("revoked", actor="alice")
    kept = await made(runtime, "kept")
    if change == "rollback":
        await runtime.admin.rollback(revoked.revision, actor="alice")
    else:
        await runtime.admin.change(edits.reset(), actor="alice")
    await runtime.adoption.adopt()
    assert admitted(runtime, kept.secret).client == "kept"
    assert "revoked" in reason_of(runtime, revoked.secret)


async def test_a_client_made_again_takes_only_its_new_secret(runtime: Runtime) -> None:
    """The name is free after a revocation, the old secret isn't."""
    first = await made(runtime)
    await runtime.clients.revoke("siem", actor="alice")
    second = await made(runtime)
    assert admitted(runtime, second.secret).client == "siem"
    assert "revoked" in reason_of(runtime, first.secret)


async def test_a_change_is_made_only_on_the_revision_it_was_based_on(runtime: Runtime) -> None:
    """As every change is."""
    answer = await made(runtime)
    for attempt in (
        runtime.clients.revoke("siem", actor="a", if_match=answer.revision + 1),
        runtime.clients.replace_secret("siem", actor="a", if_match=answer.revision - 1),
        runtime.clients.create(ClientRequest(name="other"), actor="a", if_match=99),
    ):
        with pytest.raises(RevisionMismatch):
            await attempt
    assert admitted(runtime, answer.secret).client == "siem"


async def test_two_admins_make_one_client_of_a_name(runtime: Runtime) -> None:
    """The second is refused, and the first one's secret stays valid."""
    answers = await asyncio.gather(made(runtime), made(runtime), return_exceptions=True)
    good = [one for one in answers if isinstance(one, ClientSecretAnswer)]
    assert [type(one) for one in answers if one not in good] == [Conflict]
    assert admitted(runtime, good[0].secret).client == "siem"


async def test_unknown_clients_are_not_found(runtime: Runtime) -> None:
    """Neither to revoke nor to give a secret; the answer repeats no name."""
    for attempt in (
        runtime.clients.revoke("aur-typo", actor="a"),
        runtime.clients.replace_secret("aur-typo", actor="a"),
    ):
        with pytest.raises(NotFound) as refused:
            await attempt
        assert "typo" not in refused.value.detail


@pytest.mark.parametrize(
    "fields",
    [
        {"name": "Siem"},
        {"name": "0siem"},
        {"name": "s" * 33},
        {"name": "si\u200bem"},
        {"name": "s\u0131em"},
        {"name": "siem\n"},
        {"name": ""},
        {"name": "../siem"},
        {"name": "sk-proj-0a1b2c3d4e5f60718"},
        {"max_tlp": "NONE"},
        {"max_tlp": "amber"},
        {"expires_at": "2020-01-01T00:00:00Z"},
        {"expires_at": "2999-01-01T00:00:00"},
        {"expires_at": "0001-01-01T00:00:00+14:00"},
        {"budget": {"per": "day", "hard": True}},
        {"budget": {"per": "week", "tokens": 1, "hard": True}},
        {"budget": {"per": "day", "tokens": 0, "hard": True}},
        {"budget": {"per": "day", "money": -1, "hard": True}},
        {"budget": {"per": "day", "money": float("inf"), "hard": True}},
        {"budget": {"per": "day", "tokens": 10**16, "hard": True}},
        {"budget": {"per": "day", "tokens": 1}},
        {"budget": {"per": "day", "tokens": 1.0, "hard": True}},
        {"budget": {"per": "day", "tokens": "1", "hard": True}},
        {"budget": {"per": "day", "tokens": 1, "hard": "yes"}},
        {"budget": {"per": "day", "money": "2.5", "hard": True}},
        {"budget": {"per": "day", "money": True, "hard": True}},
        {"budget": {"per": "day", "money": 0.0000001, "hard": True}},
        {"secret": "aur_" + "a" * 43},
    ],
    ids=str,
)
def test_what_no_client_can_be_is_refused(fields: dict[str, Any]) -> None:
    """Odd names, ends in the past and budgets that limit nothing."""
    with pytest.raises(ValidationError):
        ClientRequest.model_validate({"name": "siem", **fields})


@pytest.mark.parametrize(
    "secret",
    ["aur_", "aur_" + "A" * 43, "aur_" + "A" * 42, "aur_" + "é" * 43, "aur_" + "A" * 100_000],
    ids=["nothing", "unknown", "short", "not ASCII", "long"],
)
async def test_what_is_no_clients_secret_is_refused_alike(runtime: Runtime, secret: str) -> None:
    """Whatever its form; the reason holds nothing of it."""
    await made(runtime)
    assert secret[4:10] not in reason_of(runtime, secret) or secret == "aur_"


async def test_a_secret_is_taken_letter_by_letter(runtime: Runtime) -> None:
    """No other text stands for the same bytes: base64's last letter has bits to spare."""
    secret = (await made(runtime)).secret
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    for letter in alphabet.replace(secret[-1], ""):
        reason_of(runtime, secret[:-1] + letter)
    reason_of(runtime, secret + "=")
    reason_of(runtime, secret + "\n")


async def test_there_are_not_too_many(runtime: Runtime, stored: Stored) -> None:
    """Every process holds all of them."""
    await made(runtime)
    columns = "token, digest, secret_at, created_at, created_by, mac"
    await stored.executed(
        *(
            f"INSERT INTO llm_clients (name, {columns}) SELECT 't{number}', {columns} "  # noqa: S608 - our own names
            "FROM llm_clients WHERE name = 'siem'"
            for number in range(MAX_CLIENTS - 1)
        )
    )
    with pytest.raises(Conflict, match="Revoke one"):
        await made(runtime, "one-more")


async def test_history_holds_no_hash(runtime: Runtime, stored: Stored) -> None:
    """It holds what a client may do, and when its secret was made."""
    await made(runtime, budget=BUDGET)
    (config,) = stored.rows("SELECT config FROM llm_revisions ORDER BY revision DESC LIMIT 1")[0]
    client = json.loads(config)["clients"]["siem"]
    assert client["budget"]["money"] == 2_500_000
    assert not client.keys() & {"digest", "old_digest", "token", "mac"}


async def another_process(stored: Stored, tmp_path: Path, *seeds: str) -> Adoption:
    """Adopt what is stored as a process with these seeds does."""
    boot, ring = on(stored, tmp_path), keyring(*(seeds or (JWT_SECRET,)))
    database = Database(stored.url)
    adoption = Adoption(boot, database, open_secret_store(boot, ring), ring)
    await adoption.adopt()
    await database.close()
    return adoption


async def test_every_process_knows_a_client_without_the_database(
    runtime: Runtime, stored: Stored, tmp_path: Path
) -> None:
    """And runs the same configuration, by its fingerprint."""
    answer = await made(runtime, max_tlp="AMBER")
    other = await another_process(stored, tmp_path)
    assert client_principal(answer.secret, other.snapshot) == admitted(runtime, answer.secret)
    assert other.snapshot.fingerprint == runtime.adoption.snapshot.fingerprint


async def test_what_another_process_revokes_is_refused_here_at_once(
    runtime: Runtime, stored: Stored, tmp_path: Path
) -> None:
    """The feed brings it, within the second that is promised."""
    answer = await made(runtime)
    other = Database(stored.url)
    changer = replace(runtime.clients.changer, database=other)
    elsewhere = await another_process(stored, tmp_path)
    admin = ClientAdmin(
        elsewhere,
        replace(changer, adoption=elsewhere, journal=replace(changer.journal, on_revision=None)),
        runtime.clients.uses,
    )
    gone = asyncio.Event()
    runtime.adoption.on_adopted(gone.set)
    await admin.revoke("siem", actor="mallory")
    async with asyncio.timeout(1.0):
        await gone.wait()
    await other.close()
    assert "revoked" in reason_of(runtime, answer.secret)


async def test_another_first_seed_makes_no_difference(
    runtime: Runtime, stored: Stored, tmp_path: Path
) -> None:
    """While seeds are rotated, processes have them in different orders."""
    answer = await made(runtime)
    other = await another_process(stored, tmp_path, OTHER_SEED, JWT_SECRET)
    assert client_principal(answer.secret, other.snapshot).client == "siem"


async def test_a_lost_seed_is_said_and_refuses_clients(
    runtime: Runtime, stored: Stored, tmp_path: Path
) -> None:
    """Nothing else stops: the process runs on, and lists the client with the problem."""
    answer = await made(runtime)
    other = await another_process(stored, tmp_path, OTHER_SEED)
    with pytest.raises(Unauthenticated) as refused:
        client_principal(answer.secret, other.snapshot)
    assert "1 can't be read" in str(refused.value.reason)
    assert other.snapshot.clients["siem"].problem == "seed_changed"
    assert other.snapshot.fingerprint != runtime.adoption.snapshot.fingerprint


async def test_secrets_survive_the_rotation_of_seeds(
    runtime: Runtime, stored: Stored, tmp_path: Path
) -> None:
    """The key of the hashes is sealed anew, and the old seed isn't needed any more."""
    answers = [await made(runtime, "one"), await made(runtime, "two")]
    ring = keyring(OTHER_SEED, JWT_SECRET)
    rotation = Rotation(runtime.database, ring, AuditLog(ring), "alice")
    done = [item.name for item in await rotation.rotate() if item.kind == "client"]
    assert done == ["one", "two"]
    assert {item.standing for item in await survey(runtime.database, ring)} == {"current"}
    other = await another_process(stored, tmp_path, OTHER_SEED)
    for answer in answers:
        assert client_principal(answer.secret, other.snapshot).client == answer.name
    third = await made(runtime, "three")
    assert admitted(runtime, third.secret).client == "three"
    assert len(stored.rows("SELECT DISTINCT token FROM llm_clients WHERE name < 'three'")) == 1


@pytest.mark.parametrize(
    "altered",
    [
        "max_tlp = 'RED'",
        "expires_at = NULL",
        "budget = NULL",
        "budget = 'junk'",
        "digest = old_digest",
        "old_until = '9999-01-01T00:00:00.000000Z'",
        "created_by = 'nobody'",
        "mac = ''",
        "token = 'junk'",
        "name = 'admin'",
    ],
)
async def test_an_altered_row_is_refused_and_stops_nothing(
    runtime: Runtime, stored: Stored, altered: str
) -> None:
    """Whoever can write to the database alone raises no ceiling; other clients go on."""
    later = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    old = await made(runtime, max_tlp="GREEN", expires_at=later, budget=BUDGET)
    new = await runtime.clients.replace_secret("siem", grace=60, actor="alice")
    other = await made(runtime, "other")
    await stored.executed(f"UPDATE llm_clients SET {altered} WHERE name = 'siem'")  # noqa: S608 - our own
    await runtime.adoption.adopt()
    await made(runtime, "later")
    await runtime.adoption.adopt()
    for secret in (old.secret, new.secret):
        assert "can't be read" in reason_of(runtime, secret)
    assert admitted(runtime, other.secret).client == "other"
    listed = {one.name: one.problem for one in (await runtime.clients.list()).clients}
    (bad,) = (name for name, problem in listed.items() if problem is not None)
    assert (await runtime.clients.revoke(bad, actor="alice")).name == bad


async def test_rows_that_no_change_wrote_are_no_clients(runtime: Runtime, stored: Stored) -> None:
    """Impossible names are ignored, and gone with the next change."""
    answer = await made(runtime)
    columns = "token, digest, secret_at, created_at, created_by, mac"
    for name in ("../x", "A", "aur_x", ""):
        await stored.executed(
            f"INSERT INTO llm_clients (name, {columns}) SELECT '{name}', {columns} "  # noqa: S608 - our own
            "FROM llm_clients WHERE name = 'siem'"
        )
    await runtime.adoption.adopt()
    assert list(runtime.adoption.snapshot.clients) == ["siem"]
    assert admitted(runtime, answer.secret).client == "siem"
    await made(runtime, "other")
    names = stored.rows("SELECT name FROM llm_clients ORDER BY name")
    assert names == [("other",), ("siem",)]


async def test_the_last_use_is_shown_and_never_moves_back(runtime: Runtime, stored: Stored) -> None:
    """It is the latest of all processes, and outlives them."""
    answer = await made(runtime)
    created_at = str(answer.created_at)
    times = iter([2_000_000, 3_000_000])
    late, early = (
        ClientUses(runtime.database, lambda: next(times)),
        ClientUses(runtime.database, lambda: 1_000_000),
    )
    late.note("siem", created_at)
    late.note("siem", created_at)
    await late.write()
    early.note("siem", created_at)
    early.note("siem", "another one of that name")
    await early.write()
    (shown,) = (await runtime.clients.list()).clients
    assert shown.last_used_at == "1970-01-01T00:00:03.000000Z"
    await made(runtime, "other")
    assert stored.rows("SELECT last_used_us FROM llm_clients WHERE name = 'siem'") == [(3_000_000,)]


async def test_the_door_takes_a_client_or_a_jwt_and_notes_the_clients_use(
    runtime: Runtime,
) -> None:
    """From memory alone; a refused secret is no use."""
    answer = await made(runtime)
    security = runtime.settings.security
    hour = timedelta(hours=1)
    jwt = create_token("bob", roles=["analyst"], lifetime=hour, settings=security)
    assert caller_of_door(jwt, runtime).subject == "bob"
    with pytest.raises(Unauthenticated):
        caller_of_door("aur_" + "A" * 43, runtime)
    assert (await runtime.clients.list()).clients[0].last_used_at is None
    assert caller_of_door(answer.secret, runtime).subject == "client:siem"
    assert (await runtime.clients.list()).clients[0].last_used_at is not None


async def test_a_client_made_again_was_never_used(runtime: Runtime) -> None:
    """Its name says nothing of the one before."""
    first = await made(runtime)
    runtime.clients.uses.note("siem", str(first.created_at))
    await runtime.clients.revoke("siem", actor="alice")
    await made(runtime)
    await runtime.clients.uses.write()
    (shown,) = (await runtime.clients.list()).clients
    assert shown.last_used_at is None
