"""The keyring: purposes and seeds are apart, and whatever was altered stays shut."""

import base64
from typing import Final, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aurorasoc.core.keyring import Keyring, Purpose, SeedChanged
from aurorasoc.errors import ConfigurationError
from tests.examples import JWT_SECRET, OTHER_SEED, SEED, keyring

PURPOSES: Final[tuple[Purpose, ...]] = get_args(Purpose)
PAYLOAD: Final = b'{"api_key": "sk-CANARY-5e0c"}'


@pytest.mark.parametrize("purpose", PURPOSES)
def test_sealed_payload_opens_for_its_purpose(purpose: Purpose) -> None:
    """What goes in comes out."""
    assert keyring().open(purpose, keyring().seal(purpose, PAYLOAD).token) == PAYLOAD


@pytest.mark.parametrize("purpose", PURPOSES)
def test_no_purpose_opens_what_another_sealed(purpose: Purpose) -> None:
    """An audit key put into a credential row opens nothing."""
    token = keyring().seal(purpose, PAYLOAD).token
    for other in set(PURPOSES) - {purpose}:
        with pytest.raises(SeedChanged):
            keyring().open(other, token)


@pytest.mark.parametrize("position", [0, 1, 2])
def test_every_seed_opens(position: int) -> None:
    """The seed, the previous ones, the session secret: what any of them sealed stays readable."""
    seeds = (SEED, OTHER_SEED, JWT_SECRET)
    token = keyring(seeds[position]).seal("credential", PAYLOAD).token
    assert keyring(*seeds).open("credential", token) == PAYLOAD


def test_first_seed_seals() -> None:
    """What is sealed after a rotation needs the new seed alone."""
    sealed = keyring(OTHER_SEED, SEED).seal("credential", PAYLOAD)
    assert keyring(OTHER_SEED).open("credential", sealed.token) == PAYLOAD
    with pytest.raises(SeedChanged):
        keyring(SEED).open("credential", sealed.token)


def test_key_id_names_the_sealing_seed() -> None:
    """A row can say which seed it needs, and the id says nothing of the seed."""
    sealed = keyring(OTHER_SEED, SEED).seal("credential", PAYLOAD)
    assert sealed.key_id == keyring(OTHER_SEED).key_ids[0]
    assert sealed.key_id in keyring(SEED, OTHER_SEED).key_ids
    assert sealed.key_id not in OTHER_SEED


def test_key_ids_stand_in_the_order_of_seeds() -> None:
    """The sealing one first; a seed given twice counts once."""
    one, two = keyring(SEED).key_ids[0], keyring(OTHER_SEED).key_ids[0]
    assert keyring(SEED, OTHER_SEED, SEED).key_ids == (one, two)


def test_wrong_seed_opens_nothing() -> None:
    """And says which variables would help."""
    token = keyring(SEED).seal("credential", PAYLOAD).token
    with pytest.raises(SeedChanged, match="AURORA_SECRET_KEY_PREVIOUS"):
        keyring(OTHER_SEED).open("credential", token)


def test_same_payload_is_never_sealed_alike() -> None:
    """Equal keys at two providers don't show as equal."""
    tokens = {keyring().seal("credential", PAYLOAD).token for _ in range(20)}
    assert len(tokens) == 20


def test_every_altered_byte_fails_closed() -> None:
    """Each byte of the token is authenticated: version, time, IV, ciphertext and MAC."""
    ring = keyring()
    raw = bytearray(base64.urlsafe_b64decode(ring.seal("credential", PAYLOAD).token))
    for position in range(len(raw)):
        altered = bytearray(raw)
        altered[position] ^= 1 << (position % 8)
        with pytest.raises(SeedChanged):
            ring.open("credential", base64.urlsafe_b64encode(altered).decode())


def test_truncated_token_fails_closed() -> None:
    """However much is cut off."""
    token = keyring().seal("credential", PAYLOAD).token
    for length in range(len(token)):
        with pytest.raises(SeedChanged):
            keyring().open("credential", token[:length])


@given(position=st.integers(0, 10_000), character=st.characters())
@settings(max_examples=300)
def test_altered_token_never_opens_to_something_else(position: int, character: str) -> None:
    """Base64 has spellings without a difference; none of them changes what is read."""
    ring = keyring()
    token = ring.seal("credential", PAYLOAD).token
    position %= len(token)
    try:
        opened = ring.open("credential", token[:position] + character + token[position + 1 :])
    except SeedChanged:
        return
    assert opened == PAYLOAD


@pytest.mark.parametrize("token", ["", "x", "é", "\ud800", "gAAAAA==", "\0", "A" * 10_000])
def test_garbage_fails_closed(token: str) -> None:
    """Whatever someone wrote into the column."""
    with pytest.raises(SeedChanged):
        keyring().open("credential", token)


def test_tokens_of_two_rows_do_not_join() -> None:
    """Halves of two tokens make no token."""
    one, two = (keyring().seal("credential", PAYLOAD).token for _ in range(2))
    with pytest.raises(SeedChanged):
        keyring().open("credential", one[: len(one) // 2] + two[len(two) // 2 :])


def test_sealing_without_seed_names_the_variable() -> None:
    """Nothing is ever stored unsealed."""
    with pytest.raises(ConfigurationError, match="AURORA_SECRET_KEY"):
        Keyring([]).seal("credential", PAYLOAD)


def test_opening_without_seed_fails_closed() -> None:
    """An agent process without the seed reads no key."""
    token = keyring().seal("credential", PAYLOAD).token
    with pytest.raises(SeedChanged):
        Keyring([]).open("credential", token)


def test_printed_keyring_shows_no_seed() -> None:
    """It may stand in a traceback."""
    shown = repr(keyring(SEED, OTHER_SEED)) + str(keyring(SEED, OTHER_SEED))
    assert SEED not in shown
    assert OTHER_SEED not in shown
    assert "2 seeds" in shown


def test_refusal_shows_neither_seed_nor_token() -> None:
    """The message may be logged."""
    token = keyring(SEED).seal("credential", PAYLOAD).token
    with pytest.raises(SeedChanged) as refusal:
        keyring(OTHER_SEED).open("credential", token)
    assert token not in str(refusal.value)
    assert OTHER_SEED not in str(refusal.value)


@given(one=st.binary(max_size=40), two=st.binary(max_size=40))
def test_digest_tells_two_keys_apart(one: bytes, two: bytes) -> None:
    """Equal for equal, different for different."""
    assert (keyring().digest(one) == keyring().digest(two)) == (one == two)


def test_digests_hold_that_of_a_process_with_another_first_seed() -> None:
    """While seeds are being rotated, processes call one key by different digests."""
    here, there = keyring(SEED, OTHER_SEED), keyring(OTHER_SEED, SEED)
    assert here.digest(b"sk-1") != there.digest(b"sk-1")
    assert {here.digest(b"sk-1"), there.digest(b"sk-1")} == set(here.digests(b"sk-1"))


def test_digest_needs_the_seed() -> None:
    """Who reads a fingerprint can't try keys against it."""
    assert keyring(SEED).digest(b"sk-1") != keyring(OTHER_SEED).digest(b"sk-1")
    assert Keyring([]).digest(b"sk-1") == ""
