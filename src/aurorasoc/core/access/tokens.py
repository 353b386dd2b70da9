"""Bearer tokens (RFC 7519): read one into a Principal, sign one."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from aurorasoc.config.settings.security import SecuritySettings
from aurorasoc.core.access.principal import Principal
from aurorasoc.errors import ConfigurationError, InvalidInput, Unauthenticated

_ALGORITHM = "HS256"
_CLOCK_SKEW: Final = timedelta(minutes=1)
"""How far the issuer's clock may be ahead of ours."""

_OURS: Final = ("cli:", "client:")
"""Prefixes of actors that the service itself writes into the audit log."""

_OUR_NAMES: Final = frozenset({"vault"})


def decode_token(token: str, settings: SecuritySettings) -> Principal:
    """Verify a token and read its claims.

    Raises:
        Unauthenticated: Wrong signature or algorithm, expired, valid for longer than
            JWT_MAX_LIFETIME, wrong audience or issuer, a subject reserved for this service,
            or a missing or malformed claim. The message doesn't say which.
    """
    import jwt  # noqa: PLC0415 - costs 49 ms and 10 MiB at start-up

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
        subject: Written to `sub`, and so to the audit log.
        roles: Role names.
        lifetime: How long the token is valid.
        settings: Hold the secret, audience, issuer and maximum lifetime.

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
    if _is_reserved(subject) or expires_at > datetime.now(UTC) + longest + _CLOCK_SKEW:
        msg = "a subject of ours, or a lifetime beyond the limit"
        raise ValueError(msg)
    return Principal.of(subject, roles=roles, permissions=permissions, expires_at=expires_at)


def _is_reserved(subject: str) -> bool:
    """Return whether an audit reader could mistake the subject for the service itself."""
    name = unicodedata.normalize("NFKC", subject).strip().casefold()
    return name.startswith(_OURS) or name in _OUR_NAMES


def _secret(settings: SecuritySettings) -> str:
    if settings.jwt_secret_key is None:
        detail = "JWT_SECRET_KEY is not set; expected: at least 32 random characters."
        raise ConfigurationError(detail)
    return settings.jwt_secret_key.get_secret_value()
