"""Machine clients through a real runtime: made, replaced and revoked, on both databases."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from pydantic import ValidationError

from aurorasoc.config.clients import MAX_CLIENTS
from aurorasoc.config.settings import Settings
from aurorasoc.config.vocabulary import Tlp
from aurorasoc.core.access.client_secrets import client_principal
from aurorasoc.core.access.principal import Principal
from aurorasoc.errors import Conflict, NotFound, RevisionMismatch, Unauthenticated
from aurorasoc.llm.changes import edits
from aurorasoc.llm.changes.client_requests import ClientRequest
from aurorasoc.llm.changes.history import read_revision
from aurorasoc.llm.clients import ClientSecretAnswer
from aurorasoc.runtime import Runtime, open_runtime
from tests.examples import settings
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
