"""Principals: a token that isn't ours, whole and in time, is nobody's."""

import base64
import json
import time
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aurorasoc.config.settings.security import SecuritySettings
from aurorasoc.core.access import tokens
from aurorasoc.core.access.permissions import ROLE_PERMISSIONS, Permission
from aurorasoc.core.access.principal import Principal
from aurorasoc.core.access.tokens import create_token, decode_token
from aurorasoc.core.redaction import REDACTOR
from aurorasoc.errors import ConfigurationError, InvalidInput, Unauthenticated
from tests.examples import JWT_SECRET, SEED, settings

TABLE: Final = {
    "admin": {"agents:read", "alerts:investigate", "audit:read", "users:manage"},
    "operator": {"agents:read", "alerts:investigate"},
    "analyst": {"agents:read", "alerts:investigate"},
    "viewer": {"agents:read"},
    "api_service": {"alerts:investigate"},
}
LATER: Final = int(time.time()) + 12 * 3600
"""Half a day after this file is read: a run on a slow machine takes more than an hour."""


@pytest.fixture
def security(tmp_path: Path) -> SecuritySettings:
    """Hold the session secret."""
    return settings(tmp_path).security


def _token(secret: str = JWT_SECRET, algorithm: str = "HS256", **claims: Any) -> str:
    present = {"sub": "alice", "exp": LATER, **claims}
    payload = {name: value for name, value in present.items() if value is not ...}
    return jwt.encode(payload, secret, algorithm=algorithm)


def _unsigned(claims: dict[str, Any], header: dict[str, Any]) -> str:
    parts = [json.dumps(part).encode() for part in (header, claims)] + [b""]
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


@pytest.mark.parametrize(("role", "permissions"), TABLE.items())
def test_role_grants_what_the_design_says(role: str, permissions: set[str]) -> None:
    """Exactly that, no more and no less."""
    assert Principal.of("a", roles=[role]).permissions == permissions


def test_there_are_no_other_roles_or_permissions() -> None:
    """The whole table."""
    assert ROLE_PERMISSIONS.keys() == TABLE.keys()
    assert set(Permission) == TABLE["admin"]


def test_roles_and_permissions_add_up() -> None:
    """A token may carry both."""
    principal = Principal.of("a", roles=["viewer", "api_service"], permissions=["audit:read"])
    assert principal.permissions == {"agents:read", "alerts:investigate", "audit:read"}
    assert principal.may(Permission.AUDIT_READ)
    assert not principal.may(Permission.USERS_MANAGE)


@given(
    st.lists(st.text(max_size=20).filter(lambda name: name not in TABLE), max_size=3),
    st.lists(st.text(max_size=20).filter(lambda name: name not in set(Permission)), max_size=3),
)
def test_unknown_names_grant_nothing(roles: list[str], permissions: list[str]) -> None:
    """A platform's other roles are none of ours."""
    assert Principal.of("a", roles=roles, permissions=permissions).permissions == frozenset()


def test_created_token_comes_back_as_its_principal(security: SecuritySettings) -> None:
    """Subject and roles."""
    token = create_token(
        "alice", roles=["viewer"], lifetime=timedelta(minutes=5), settings=security
    )
    assert decode_token(token, security) == Principal.of("alice", roles=["viewer"])


def test_token_may_name_permissions(security: SecuritySettings) -> None:
    """Beside roles, or without any."""
    principal = decode_token(_token(permissions=["audit:read"]), security)
    assert principal.permissions == {Permission.AUDIT_READ}


REFUSED: Final = {
    "wrong secret": _token(SEED),
    "longer hash": _token(algorithm="HS512"),
    "none": _unsigned({"sub": "alice", "exp": LATER}, {"alg": "none", "typ": "JWT"}),
    "None": _unsigned({"sub": "alice", "exp": LATER}, {"alg": "None"}),
    "no algorithm": _unsigned({"sub": "alice", "exp": LATER}, {}),
    "signature cut off": _token().rsplit(".", 1)[0] + ".",
    "expired": _token(exp=int(time.time()) - 11),
    "expired long ago": _token(exp=0),
    "not yet": _token(nbf=LATER),
    "no exp": _token(exp=...),
    "no sub": _token(sub=...),
    "exp no number": _token(exp="soon"),
    "exp null": _token(exp=None),
    "exp infinite": _token(exp=float("inf")),
    "exp in two days": _token(exp=int(time.time()) + 2 * 86_400),
    "exp far in the future": _token(exp=4_000_000_000),
    "exp after the last year": _token(exp=10**15),
    "exp with a fraction, far away": _token(exp=4e9 + 0.5),
    "sub no text": _token(sub=7),
    "sub null": _token(sub=None),
    "sub empty": _token(sub=""),
    "sub of the command line": _token(sub="cli:root"),
    "sub of the command line, capitals": _token(sub="CLI:root"),
    "sub of the command line, wide": _token(sub="\uff43\uff4c\uff49\uff1aroot"),
    "sub of a client": _token(sub="client:triage"),
    "sub of an operator in Vault": _token(sub="vault"),
    "sub too long": _token(sub="a" * 256),
    "sub with a line break": _token(sub="alice\nadmin"),
    "sub with NUL": _token(sub="alice\0"),
    "sub with direction mark": _token(sub="\u202eecila"),
    "roles a number": _token(roles=1),
    "roles an object": _token(roles={"admin": True}),
    "role no text": _token(roles=[["admin"]]),
    "permission no text": _token(permissions=[None]),
    "empty": "",
    "no token": "alice",
    "dots": "..",
    "not ASCII": "é.é.é",
    "surrogate": "\ud800",
}


@pytest.mark.parametrize("token", REFUSED.values(), ids=REFUSED)
def test_token_is_refused_without_saying_why(token: str, security: SecuritySettings) -> None:
    """One sentence for all, and nothing of the token in it."""
    with pytest.raises(Unauthenticated) as refusal:
        decode_token(token, security)
    assert refusal.value.detail == (
        "The bearer token is not valid here, or has expired. Sign in again."
    )
    assert refusal.value.__context__ is None


REASONS: Final = {
    "wrong secret": "not signed with this JWT_SECRET_KEY",
    "longer hash": "not signed with HS256",
    "none": "not signed with HS256",
    "expired": "exp has passed",
    "not yet": "iat or nbf is ahead of this machine's clock",
    "no exp": "sub, exp, aud or iss is missing",
    "exp in two days": "exp is further ahead than JWT_MAX_LIFETIME",
    "sub no text": "sub is no text",
    "sub of the command line": "sub is reserved for the service's own audit entries",
    "sub too long": "sub is empty, too long or not printable",
    "roles a number": "roles is neither a list of texts nor a text",
    "permission no text": "permissions is neither a list of texts nor a text",
    "exp no number": "no JWT, or a claim of the wrong type",
    "no token": "no JWT, or a claim of the wrong type",
}


@pytest.mark.parametrize("case", REASONS)
def test_refusal_carries_its_reason_for_the_log(case: str, security: SecuritySettings) -> None:
    """Which claim, in our words; whoever runs the service can't see the token."""
    with pytest.raises(Unauthenticated) as refusal:
        decode_token(REFUSED[case], security)
    assert refusal.value.reason == REASONS[case]
    assert REDACTOR.text(REASONS[case]) == REASONS[case]  # so it reads the same in the log


@pytest.mark.parametrize("case", REFUSED)
def test_no_refusal_lacks_a_reason(case: str, security: SecuritySettings) -> None:
    """Nor does one say more than our own words."""
    with pytest.raises(Unauthenticated) as refusal:
        decode_token(REFUSED[case], security)
    assert refusal.value.reason in {*tokens._REASONS.values(), *REASONS.values()}


@pytest.mark.parametrize("claims", [{"iat": 8}, {"nbf": 8}, {"exp": -8}, {"iat": 8, "nbf": 8}])
def test_clocks_may_differ_by_seconds(claims: dict[str, int], security: SecuritySettings) -> None:
    """An issuer's clock is ahead, or a token travels long."""
    now = int(time.time())
    shifted: dict[str, Any] = {name: now + seconds for name, seconds in claims.items()}
    token = _token(**shifted)
    assert decode_token(token, security).subject == "alice"


@pytest.mark.parametrize("claims", [{"iat": 15}, {"nbf": 15}, {"exp": -15}])
def test_clocks_may_not_differ_by_more(claims: dict[str, int], security: SecuritySettings) -> None:
    """The leeway is for clocks, not for old tokens."""
    now = int(time.time())
    shifted: dict[str, Any] = {name: now + seconds for name, seconds in claims.items()}
    with pytest.raises(Unauthenticated):
        decode_token(_token(**shifted), security)


@pytest.mark.parametrize(
    ("claims", "roles"),
    [
        ({"roles": "admin"}, ["admin"]),
        ({"roles": ["viewer", "admin"]}, ["viewer", "admin"]),
        ({"roles": None}, []),
        ({"roles": "Domain admin"}, ["Domain admin"]),
        ({"roles": "viewer,admin"}, ["viewer,admin"]),
    ],
    ids=str,
)
def test_roles_are_a_list_or_one_name(
    claims: dict[str, Any], roles: list[str], security: SecuritySettings
) -> None:
    """A text is never split: another role's name, with a blank in it, must not grant ours."""
    principal = decode_token(_token(**claims), security)
    assert principal == Principal.of("alice", roles=set(roles))


def test_one_permission_may_be_a_text(security: SecuritySettings) -> None:
    """As one role may."""
    principal = decode_token(_token(permissions="audit:read", roles=None), security)
    assert principal.permissions == {Permission.AUDIT_READ}


@pytest.mark.parametrize("position", ["header", "claims", "signature"])
def test_altered_token_is_refused(position: str, security: SecuritySettings) -> None:
    """Whichever part was touched."""
    parts = dict(zip(("header", "claims", "signature"), _token().split("."), strict=True))
    text = parts[position]
    parts[position] = ("A" if text[0] != "A" else "B") + text[1:]
    with pytest.raises(Unauthenticated):
        decode_token(".".join(parts.values()), security)


@pytest.mark.parametrize("claim", ["aud", "iss"])
@pytest.mark.parametrize("given_", ["soc", "other", ...])
def test_audience_and_issuer_are_held_where_configured(
    claim: str,
    given_: Any,  # noqa: ANN401 - a claim
    tmp_path: Path,
) -> None:
    """Configured means required."""
    variable = {"aud": "JWT_AUDIENCE", "iss": "JWT_ISSUER"}[claim]
    security = settings(tmp_path, **{variable: "soc"}).security
    token = _token(**{claim: given_})
    if given_ == "soc":
        assert decode_token(token, security).subject == "alice"
        return
    with pytest.raises(Unauthenticated):
        decode_token(token, security)


def test_audience_and_issuer_are_not_asked_for_where_unset(security: SecuritySettings) -> None:
    """A platform's tokens carry them for others."""
    assert decode_token(_token(aud="other", iss="idp"), security).subject == "alice"


def test_created_token_carries_the_configured_audience_and_issuer(tmp_path: Path) -> None:
    """So that it is accepted by who made it."""
    security = settings(tmp_path, JWT_AUDIENCE="soc", JWT_ISSUER="idp").security
    token = create_token("alice", roles=[], lifetime=timedelta(minutes=5), settings=security)
    assert decode_token(token, security).subject == "alice"


def test_token_of_the_past_is_refused(security: SecuritySettings) -> None:
    """A lifetime that has ended."""
    token = create_token("alice", roles=[], lifetime=timedelta(seconds=-15), settings=security)
    with pytest.raises(Unauthenticated):
        decode_token(token, security)


def test_longest_lifetime_is_configurable(tmp_path: Path) -> None:
    """A day by default; longer and shorter where it is set."""
    in_two_days = _token(exp=int(time.time()) + 2 * 86_400)
    security = settings(tmp_path, JWT_MAX_LIFETIME="259200").security
    assert decode_token(in_two_days, security).subject == "alice"
    with pytest.raises(Unauthenticated):
        decode_token(_token(), settings(tmp_path, JWT_MAX_LIFETIME="60").security)


def test_principal_knows_when_its_token_expires(security: SecuritySettings) -> None:
    """Streams end then."""
    expires_at = decode_token(_token(), security).expires_at
    assert expires_at is not None
    assert expires_at.timestamp() == LATER


@pytest.mark.parametrize(
    ("subject", "hours"),
    [("cli:root", 1), ("vault", 1), ("alice", 25), ("", 1), ("a" * 256, 1), ("alice\n", 1)],
    ids=lambda value: ascii(value)[:12],
)
def test_no_token_is_made_that_would_be_refused(
    subject: str, hours: int, security: SecuritySettings
) -> None:
    """The one who asks is told, not the one who uses it."""
    with pytest.raises(InvalidInput):
        create_token(subject, roles=[], lifetime=timedelta(hours=hours), settings=security)


def test_missing_secret_is_named() -> None:
    """Without it no token can be judged."""
    with pytest.raises(ConfigurationError, match="JWT_SECRET_KEY"):
        decode_token(_token(), SecuritySettings())


@pytest.mark.parametrize("subject", ["", "a" * 256, "alice\nadmin", "alice\0", "\ud800"], ids=ascii)
def test_a_host_can_give_no_caller_that_the_audit_log_does_not_hold(subject: str) -> None:
    """A database that refuses the name would look like one that doesn't answer."""
    with pytest.raises(Unauthenticated, match="1 to 255 printable characters"):
        Principal.of(subject, roles=["admin"])
