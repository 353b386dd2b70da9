"""The database store: a key opens for its provider and origin only, and is never lost quietly."""

import json
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr
from sqlalchemy import inspect

from aurorasoc.config.settings import Settings
from aurorasoc.config.snapshot import Credential, Problem
from aurorasoc.config.vocabulary import ServingBackend
from aurorasoc.core.database.tables import CredentialRow
from aurorasoc.core.keyring import Keyring
from aurorasoc.core.open_store import open_secret_store
from aurorasoc.core.secret_store import (
    DatabaseSecretStore,
    Stamp,
    apply_stored_keys_to_settings,
    last4_of,
)
from aurorasoc.errors import ConfigurationError
from tests.examples import (
    API_KEY,
    OTHER_API_KEY,
    OTHER_SEED,
    SEED,
    keyring,
    settings,
    stored_key,
)

ORIGIN: Final = "https://api.deepseek.com:443"
DEEPSEEK: Final = ServingBackend.DEEPSEEK


async def _row(
    ring: Keyring, provider: ServingBackend = DEEPSEEK, key: str = API_KEY, origin: str = ORIGIN
) -> CredentialRow:
    """Store a key as the change does."""
    stamp = Stamp(operation_id="op", set_by="admin", set_us=1)
    stored = await DatabaseSecretStore(ring).write(provider, origin, SecretStr(key), stamp)
    return CredentialRow(
        connection=provider.value,
        origin=origin,
        token=stored.token,
        key_id=stored.key_id,
        last4=last4_of(SecretStr(key)),
        vault_version=stored.vault_version,
        operation_id=stamp.operation_id,
        set_by=stamp.set_by,
        set_us=stamp.set_us,
    )


def _columns(row: CredentialRow) -> dict[str, Any]:
    return {name: getattr(row, name) for name, _ in inspect(CredentialRow).column_attrs.items()}


def _read(row: CredentialRow, ring: Keyring | None = None) -> Credential:
    reading = DatabaseSecretStore(ring or keyring()).peek([row])
    (credential,) = reading.credentials.values()
    return credential


def _key_of(credential: Credential) -> str | None:
    return credential.api_key.get_secret_value() if credential.api_key else None


async def test_stored_key_is_read_back_with_its_origin() -> None:
    """Usable, and known to come from the database."""
    key = _read(await _row(keyring()))
    assert (key.state, key.source, key.origin) == ("usable", "database", ORIGIN)
    assert _key_of(key) == API_KEY
    assert key.problem is None


async def test_row_holds_no_readable_key() -> None:
    """A dump of the table shows the last four characters and nothing more."""
    row = await _row(keyring())
    shown = json.dumps(_columns(row))
    assert API_KEY not in shown
    assert API_KEY[:-4] not in shown


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("connection", "openai"),
        ("connection", "deepseek-eu"),
        ("origin", "https://evil.example:443"),
        ("origin", "http://api.deepseek.com:443"),
        ("origin", "https://api.deepseek.com:8443"),
        ("key_id", "0" * 16),
        ("key_id", None),
        ("token", None),
        ("token", ""),
        ("token", "é"),
    ],
)
async def test_altered_row_fails_closed(column: str, value: str | None) -> None:
    """The binding stands inside the ciphertext: the columns can't be moved or changed."""
    row = await _row(keyring())
    setattr(row, column, value)
    key = _read(row)
    assert (key.state, key.api_key) == ("needs_reentry", None)
    assert key.problem is not None
    assert key.problem.code == "seed_changed"


async def test_token_of_another_provider_fails_closed() -> None:
    """Two rows whose tokens were swapped open neither."""
    one, two = await _row(keyring()), await _row(keyring(), ServingBackend.OPENAI, OTHER_API_KEY)
    one.token, two.token = two.token, one.token
    one.key_id, two.key_id = two.key_id, one.key_id
    reading = DatabaseSecretStore(keyring()).peek([one, two])
    assert {c.state for c in reading.credentials.values()} == {"needs_reentry"}


async def test_token_of_another_purpose_fails_closed() -> None:
    """What was sealed as an audit key is no credential."""
    row = await _row(keyring())
    payload = keyring().open("credential", row.token or "")
    row.token = keyring().seal("audit-key", payload).token
    assert (_read(row)).state == "needs_reentry"


async def test_unreadable_row_is_listed_as_needing_reentry() -> None:
    """The admin sees that a key is there, which one, and why it doesn't serve."""
    key = _read(await _row(keyring(SEED)), keyring(OTHER_SEED))
    assert (key.state, key.source, key.last4) == ("needs_reentry", "database", API_KEY[-4:])
    assert key.api_key is None
    assert key.problem is not None
    assert key.problem.code == "seed_changed"


async def test_unreadable_row_is_left_as_it_is_and_opens_when_the_seed_returns() -> None:
    """Reading with a wrong seed destroys nothing."""
    row = await _row(keyring(SEED))
    before = _columns(row)
    assert (_read(row, keyring(OTHER_SEED))).state == "needs_reentry"
    assert _columns(row) == before
    assert _key_of(_read(row, keyring(OTHER_SEED, SEED))) == API_KEY


async def test_one_unreadable_row_hides_no_other() -> None:
    """Each row stands for itself."""
    lost, kept = await _row(keyring(OTHER_SEED)), await _row(keyring(), ServingBackend.OPENAI)
    reading = DatabaseSecretStore(keyring()).peek([lost, kept])
    states = {name: c.state for name, c in reading.credentials.items()}
    assert states == {"deepseek": "needs_reentry", "openai": "usable"}


async def test_row_under_an_impossible_name_hides_no_other() -> None:
    """No change wrote it; with Vault, its name would become a path."""
    strange, kept = await _row(keyring()), await _row(keyring(), ServingBackend.OPENAI)
    strange.connection = "../mistral"
    reading = DatabaseSecretStore(keyring()).peek([strange, kept])
    assert set(reading.credentials) == {ServingBackend.OPENAI}


def test_database_store_is_always_ok() -> None:
    """Its state is the database's own, which shows elsewhere."""
    status = DatabaseSecretStore(keyring()).peek([]).status
    assert (status.kind, status.state, status.problem) == ("database", "ok", None)


async def test_writing_without_seed_is_refused() -> None:
    """Nothing is stored unsealed."""
    with pytest.raises(ConfigurationError, match="AURORA_SECRET_KEY"):
        await _row(Keyring([]))


async def test_tags_tell_keys_apart_without_telling_them() -> None:
    """Equal keys have equal tags, in every process with the seed."""
    one = _read(await _row(keyring()))
    same = _read(await _row(keyring(), origin="https://gw.example:443"))
    other = _read(await _row(keyring(), key=OTHER_API_KEY))
    assert one.tag == same.tag != other.tag
    assert one.tag not in API_KEY


def test_printed_credential_shows_no_key() -> None:
    """It may be logged."""
    assert API_KEY not in repr(stored_key(origin=ORIGIN))


@given(st.text("abc123-_", min_size=1, max_size=40))
def test_last_four_are_shown_from_twelve_characters_on(text: str) -> None:
    """Four of eleven would be too many."""
    assert last4_of(SecretStr(text)) == (text[-4:] if len(text) >= 12 else None)


async def test_short_key_shows_nothing_even_when_read() -> None:
    """The rule holds for what is read as for what is written."""
    row = await _row(keyring(), key="elevenchars")
    assert row.last4 is None
    assert (_read(row)).last4 is None


def test_vault_without_login_is_refused_rather_than_ignored(tmp_path: Path) -> None:
    """Nothing falls back to the database silently."""
    with pytest.raises(ConfigurationError, match="VAULT_TOKEN") as refusal:
        open_secret_store(settings(tmp_path, VAULT_ADDR="https://vault-CANARY:8200"), keyring())
    assert "CANARY" not in refusal.value.detail


@pytest.mark.parametrize("login", ["VAULT_TOKEN", "VAULT_ROLE_ID", "VAULT_K8S_ROLE"])
def test_vault_is_the_store_where_it_is_configured(login: str, tmp_path: Path) -> None:
    """Configuration chooses it, whether or not it answers."""
    boot = settings(tmp_path, **{"VAULT_ADDR": "https://127.0.0.1:1", login: "x"})
    store = open_secret_store(boot, keyring())
    assert store.kind == "vault"
    store.close()


def test_database_is_the_store_without_vault(tmp_path: Path) -> None:
    """Configuration chooses the store."""
    assert open_secret_store(settings(tmp_path), keyring()).kind == "database"


def _env_key(loaded: Settings, provider: ServingBackend = DEEPSEEK) -> str | None:
    key = loaded.connections[provider].api_key
    return key.get_secret_value() if key else None


def test_stored_key_covers_the_environments(tmp_path: Path) -> None:
    """What was set at runtime wins."""
    boot = settings(tmp_path, LLM_DEEPSEEK_API_KEY="sk-env")
    assert _env_key(apply_stored_keys_to_settings(boot, {DEEPSEEK: stored_key(origin=ORIGIN)})) == (
        API_KEY
    )


@pytest.mark.parametrize("state", ["needs_reentry", "unavailable"])
def test_unusable_stored_key_never_uncovers_the_environments(state: str, tmp_path: Path) -> None:
    """The provider then has no key at all."""
    boot = settings(tmp_path, LLM_DEEPSEEK_API_KEY="sk-env")
    unusable = Credential(
        state="needs_reentry" if state == "needs_reentry" else "unavailable",
        source="database",
        problem=Problem("seed_changed", "Enter it again."),
    )
    assert _env_key(apply_stored_keys_to_settings(boot, {DEEPSEEK: unusable})) is None


def test_provider_without_stored_key_keeps_the_environments(tmp_path: Path) -> None:
    """A stored key is laid over its own provider only."""
    boot = settings(tmp_path, LLM_OPENAI_COMPATIBLE_API_KEY="sk-env", LLM_DEEPSEEK_MODEL="m")
    applied = apply_stored_keys_to_settings(boot, {DEEPSEEK: stored_key(origin=ORIGIN)})
    assert _env_key(applied, ServingBackend.OPENAI) == "sk-env"
    assert applied.connections[DEEPSEEK].model == "m"


def test_applying_stored_keys_is_pure(tmp_path: Path) -> None:
    """The settings given stay as they were, and the same inputs give the same result."""
    boot = settings(tmp_path, LLM_DEEPSEEK_API_KEY="sk-env")
    again = settings(tmp_path, LLM_DEEPSEEK_API_KEY="sk-env")
    stored = {DEEPSEEK.value: stored_key(origin=ORIGIN)}
    first = apply_stored_keys_to_settings(boot, stored)
    assert first == apply_stored_keys_to_settings(boot, stored)
    assert boot == again
    assert _env_key(boot) == "sk-env"
    assert stored == {DEEPSEEK: stored_key(origin=ORIGIN)}
