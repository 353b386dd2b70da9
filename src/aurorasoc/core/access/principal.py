"""Who is asking: a bearer token (RFC 7519) becomes a Principal."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from aurorasoc.config.settings.security import SecuritySettings
from aurorasoc.core.access.permissions import ROLE_PERMISSIONS, Permission
from aurorasoc.errors import ConfigurationError, InvalidInput, Unauthenticated

_ALGORITHM = "HS256"
_MAX_SUBJECT = 255
_CLOCKS: Final = timedelta(minutes=1)
"""How far the issuer's clock may be ahead of ours."""

_OURS: Final = ("cli:", "client:")
"""Prefixes of actors that the service itself writes into the audit log."""

_OUR_NAMES: Final = frozenset({"vault"})


@dataclass(frozen=True, slots=True)
class Principal:
    """An authenticated caller.

    Attributes:
        subject: The name that stands in the audit log.
        roles: Role names, unknown ones included.
        permissions: What the roles and the token's own list add up to.
        expires_at: When the proof of identity expires, and streams end; None where it doesn't.
    """

    subject: str
    roles: frozenset[str]
    permissions: frozenset[Permission]
    expires_at: datetime | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        """Refuse a name that no row of the audit log holds, or that isn't what it looks like.

        Raises:
            Unauthenticated: It is empty, longer than 255 characters, or has invisible ones.
        """
        if not 0 < len(self.subject) <= _MAX_SUBJECT or not self.subject.isprintable():
            detail = f"A caller's subject has 1 to {_MAX_SUBJECT} printable characters."
            raise Unauthenticated(detail)

    @classmethod
    def of(
        cls,
        subject: str,
        *,
        roles: Iterable[str] = (),
        permissions: Iterable[str] = (),
        expires_at: datetime | None = None,
    ) -> Principal:
        """Build a principal from names; those this service doesn't know grant nothing."""
        named = frozenset(roles)
        granted = {p for role in named for p in ROLE_PERMISSIONS.get(role, ())}
        granted |= {Permission(p) for p in permissions if p in set(Permission)}
        return cls(subject, named, frozenset(granted), expires_at)

    def may(self, permission: Permission) -> bool:
        """Whether the principal holds a permission."""
        return permission in self.permissions


def decode_token(token: str, settings: SecuritySettings) -> Principal:
    """Verify a token and read its claims.

    Raises:
        Unauthenticated: Wrong signature or algorithm, expired, valid for longer than
            JWT_MAX_LIFETIME, wrong audience or issuer, a subject that is reserved for this
            service, or a claim is missing or malformed. The answer doesn't say which.
    """
    import jwt  # noqa: PLC0415 - 49 ms and 10 MiB that a ready API need not have spent

    try:
        claims = jwt.decode(
            token,
            _secret(settings),
            algorithms=[_ALGORITHM],
            audience=settings.jwt_audience,
            issuer=settings.jwt_issuer,
            options={"require": ["sub", "exp"], "verify_aud": settings.jwt_audience is not None},
        )
        return _principal(claims, timedelta(seconds=settings.jwt_max_lifetime))
    except (jwt.PyJWTError, Unauthenticated, ValueError, OverflowError):
        pass
    detail = "The bearer token is not valid here, or has expired. Sign in again."
    raise Unauthenticated(detail)


def create_token(
    subject: str, *, roles: Iterable[str], lifetime: timedelta, settings: SecuritySettings
) -> str:
    """Sign a token for a subject.

    Args:
        subject: Goes into `sub`, and so into the audit log.
        roles: Role names.
        lifetime: How long it holds.
        settings: Holds the secret, audience, issuer and the longest lifetime.

    Raises:
        InvalidInput: `decode_token` would refuse the subject or the lifetime.
    """
    if _is_reserved(subject):
        detail = "This subject is reserved for the service's own audit entries. Choose another."
        raise InvalidInput(detail)
    if lifetime > timedelta(seconds=settings.jwt_max_lifetime):
        detail = (
            f"A token is valid for {settings.jwt_max_lifetime} seconds at most "
            "(JWT_MAX_LIFETIME). Choose a shorter lifetime."
        )
        raise InvalidInput(detail)
    import jwt  # noqa: PLC0415 - see decode_token

    claims: dict[str, Any] = {
        "sub": subject,
        "roles": list(roles),
        "exp": datetime.now(UTC) + lifetime,
    }
    if settings.jwt_audience:
        claims["aud"] = settings.jwt_audience
    if settings.jwt_issuer:
        claims["iss"] = settings.jwt_issuer
    return jwt.encode(claims, _secret(settings), algorithm=_ALGORITHM)


def _principal(claims: dict[str, Any], longest: timedelta) -> Principal:
    subject, roles = claims["sub"], claims.get("roles", [])
    permissions = claims.get("permissions", [])
    for names in (roles, permissions):
        if not isinstance(names, list) or not all(isinstance(n, str) for n in names):
            msg = "roles and permissions are lists of strings"
            raise ValueError(msg)
    expires_at = datetime.fromtimestamp(int(claims["exp"]), UTC)
    if _is_reserved(subject) or expires_at > datetime.now(UTC) + longest + _CLOCKS:
        msg = "a subject of ours, or a lifetime beyond the limit"
        raise ValueError(msg)
    return Principal.of(subject, roles=roles, permissions=permissions, expires_at=expires_at)


def _is_reserved(subject: str) -> bool:
    """Whether a reader of the audit log could take the subject for one of the service's own."""
    read = unicodedata.normalize("NFKC", subject).strip().casefold()
    return read.startswith(_OURS) or read in _OUR_NAMES


def _secret(settings: SecuritySettings) -> str:
    if settings.jwt_secret_key is None:
        detail = "JWT_SECRET_KEY is not set; expected: at least 32 random characters."
        raise ConfigurationError(detail)
    return settings.jwt_secret_key.get_secret_value()
