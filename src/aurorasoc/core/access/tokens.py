"""Bearer tokens (RFC 7519): read one into a Principal, sign one."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from aurorasoc.config.settings.security import SecuritySettings
from aurorasoc.core.access.client_secrets import (
    CLIENT_SUBJECT,
    is_client_secret,
    refuse_client_secret,
)
from aurorasoc.core.access.principal import MAX_SUBJECT, Principal, is_subject
from aurorasoc.errors import ConfigurationError, InvalidInput, Unauthenticated

_ALGORITHM = "HS256"
_LEEWAY: Final = timedelta(seconds=10)
"""How far the issuer's clock may be from ours for `iat`, `nbf` and `exp` (RFC 7519 §4.1.4)."""

_LIFETIME_LEEWAY: Final = timedelta(minutes=1)
"""How far beyond the longest lifetime `exp` may lie."""

_REASONS: Final = {
    "ExpiredSignatureError": "exp has passed",
    "ImmatureSignatureError": "iat or nbf is ahead of this machine's clock",
    "InvalidAlgorithmError": "not signed with HS256",
    "InvalidAudienceError": "aud isn't JWT_AUDIENCE",
    "InvalidIssuerError": "iss isn't JWT_ISSUER",
    "InvalidSignatureError": "not signed with this JWT_SECRET_KEY",
    "InvalidSubjectError": "sub is no text",
    "MissingRequiredClaimError": "sub, exp, aud or iss is missing",
}
"""What PyJWT's errors mean. Their own texts may quote the token."""

_OURS: Final = ("cli:", CLIENT_SUBJECT)
"""Prefixes of actors that no token may name: the shell's users, and machine clients."""

_OUR_NAMES: Final = frozenset({"vault"})


def decode_token(token: str, settings: SecuritySettings) -> Principal:
    """Verify a token and read its claims.

    Raises:
        Unauthenticated: Wrong signature or algorithm, expired, valid for longer than
            JWT_MAX_LIFETIME, wrong audience or issuer, a subject reserved for this service,
            or a missing or malformed claim. The message doesn't say which, but its `reason` does.
            Or it is a machine client's secret, which the door alone accepts: that it does say.
    """
    if is_client_secret(token):
        raise refuse_client_secret()
    import jwt  # noqa: PLC0415 - costs 49 ms and 10 MiB at start-up

    try:
        claims = jwt.decode(
            token,
            _secret(settings),
            algorithms=[_ALGORITHM],
            audience=settings.jwt_audience,
            issuer=settings.jwt_issuer,
            leeway=_LEEWAY,
            options={"require": ["sub", "exp"], "verify_aud": settings.jwt_audience is not None},
        )
        return _principal(claims, timedelta(seconds=settings.jwt_max_lifetime))
    except _Unfit as unfit:
        reason = unfit.reason
    except Unauthenticated:
        reason = "sub is empty, too long or not printable"
    except (jwt.PyJWTError, ValueError, OverflowError) as error:
        reason = _REASONS.get(type(error).__name__, "no JWT, or a claim of the wrong type")
    detail = "The bearer token is not valid here, or has expired. Sign in again."
    raise Unauthenticated(detail, reason=reason)


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
    if not is_subject(subject):
        detail = f"A token's subject has 1 to {MAX_SUBJECT} printable characters. Choose another."
        raise InvalidInput(detail)
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


class _Unfit(Exception):
    """A claim that this service doesn't take."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def _principal(claims: dict[str, Any], longest: timedelta) -> Principal:
    subject, roles, permissions = (
        claims["sub"],
        _names(claims, "roles"),
        _names(claims, "permissions"),
    )
    expires_at = datetime.fromtimestamp(int(claims["exp"]), UTC)
    if _is_reserved(subject):
        reason = "sub is reserved for the service's own audit entries"
        raise _Unfit(reason)
    if expires_at > datetime.now(UTC) + longest + _LIFETIME_LEEWAY:
        reason = "exp is further ahead than JWT_MAX_LIFETIME"
        raise _Unfit(reason)
    return Principal.of(subject, roles=roles, permissions=permissions, expires_at=expires_at)


def _names(claims: dict[str, Any], claim: str) -> list[str]:
    """Read a claim that lists names.

    Issuers write a single one as a text (Keycloak, unless its mapper is multivalued). A text is
    one name, never split: names may have blanks (Keycloak) and commas (Entra ID).
    """
    value = claims.get(claim)
    names = [] if value is None else [value] if isinstance(value, str) else value
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        reason = f"{claim} is neither a list of texts nor a text"
        raise _Unfit(reason)
    return names


def _is_reserved(subject: str) -> bool:
    """Return whether an audit reader could mistake the subject for the service itself."""
    name = unicodedata.normalize("NFKC", subject).strip().casefold()
    return name.startswith(_OURS) or name in _OUR_NAMES


def _secret(settings: SecuritySettings) -> str:
    if settings.jwt_secret_key is None:
        detail = "JWT_SECRET_KEY is not set; expected: at least 32 random characters."
        raise ConfigurationError(detail)
    return settings.jwt_secret_key.get_secret_value()
