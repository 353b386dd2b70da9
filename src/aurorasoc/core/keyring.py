"""Derive purpose keys from seeds, and seal stored secrets with them.

A seed is never used directly: HKDF-SHA256 (RFC 5869) derives one key for each purpose, so a
token sealed for one purpose can't be opened for another. Tokens are Fernet (AES-128-CBC and
HMAC-SHA256). The first seed seals; opening tries every seed.
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

from pydantic import SecretStr

from aurorasoc.errors import AuroraError, ConfigurationError

if TYPE_CHECKING:
    from cryptography.fernet import Fernet

Purpose = Literal["credential", "audit-key", "client-key", "fingerprint", "key-id"]


class SeedChanged(AuroraError):
    """No seed of this process opens the token, or the token was altered."""

    code = "seed_changed"
    title = "No seed here opens this"


@dataclass(frozen=True, slots=True)
class Sealed:
    """A token, and the id of the key that opens it."""

    token: str
    key_id: str


class Keyring:
    """The seeds of one process.

    Args:
        seeds: The sealing seed first. Without seeds, nothing can be sealed or opened.
    """

    def __init__(self, seeds: Sequence[SecretStr]) -> None:
        self._seeds = tuple(dict.fromkeys(seed.get_secret_value() for seed in seeds))

    def __repr__(self) -> str:
        """Show how many seeds there are, never a seed."""
        return f"Keyring({len(self._seeds)} seeds)"

    @property
    def key_ids(self) -> tuple[str, ...]:
        """The ids of all seeds, the sealing one first."""
        return tuple(_key_id(seed) for seed in self._seeds)

    def seal(self, purpose: Purpose, payload: bytes) -> Sealed:
        """Encrypt and authenticate.

        Raises:
            ConfigurationError: There is no seed to seal with.
        """
        seed = self._sealing_seed()
        token = _fernet(seed, purpose).encrypt(payload).decode("ascii")
        return Sealed(token, _key_id(seed))

    def open(self, purpose: Purpose, token: str) -> bytes:
        """Decrypt with whichever seed fits.

        Raises:
            SeedChanged: No seed fits, or the token was altered.
        """
        return self._open(purpose, token)[1]

    def opener(self, purpose: Purpose, token: str) -> str:
        """Return the id of the seed that opens a token.

        Raises:
            SeedChanged: No seed opens it.
        """
        return _key_id(self._open(purpose, token)[0])

    def _open(self, purpose: Purpose, token: str) -> tuple[str, bytes]:
        from cryptography.fernet import InvalidToken  # noqa: PLC0415 - see _fernet

        for seed in self._seeds:
            try:
                return seed, _fernet(seed, purpose).decrypt(token)
            except (InvalidToken, ValueError):  # the latter for a token that isn't ASCII
                continue
        detail = (
            "No seed of this process opens it. Set the old seed in AURORA_SECRET_KEY or "
            "AURORA_SECRET_KEY_PREVIOUS again, or enter the key again."
        )
        raise SeedChanged(detail)

    def digest(self, data: bytes) -> str:
        """Return 16 hex characters that distinguish secrets without revealing them."""
        return _digest(self._seeds[0], data) if self._seeds else ""

    def digests(self, data: bytes) -> tuple[str, ...]:
        """Return the digest by each seed: what processes with another first seed call a secret."""
        return tuple(_digest(seed, data) for seed in self._seeds)

    def _sealing_seed(self) -> str:
        if self._seeds:
            return self._seeds[0]
        detail = (
            "No seed is set to seal a key with: set AURORA_SECRET_KEY to at least 32 random "
            "characters, the same in every process."
        )
        raise ConfigurationError(detail)


def _digest(seed: str, data: bytes) -> str:
    return hmac.new(_derive(seed, "fingerprint"), data, "sha256").hexdigest()[:16]


@lru_cache(maxsize=64)
def _derive(seed: str, purpose: Purpose) -> bytes:
    from cryptography.hazmat.primitives.hashes import SHA256  # noqa: PLC0415 - see _fernet
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF  # noqa: PLC0415 - see _fernet

    info = f"aurorasoc/{purpose}/v1".encode()
    return HKDF(SHA256(), 32, salt=None, info=info).derive(seed.encode())


@lru_cache(maxsize=64)
def _fernet(seed: str, purpose: Purpose) -> Fernet:
    from cryptography.fernet import Fernet  # noqa: PLC0415 - costs 7 MiB at start-up

    return Fernet(base64.urlsafe_b64encode(_derive(seed, purpose)))


def _key_id(seed: str) -> str:
    return _derive(seed, "key-id").hex()[:16]
