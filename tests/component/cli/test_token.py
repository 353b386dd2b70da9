"""`aurorasoc token create`."""

import time

import jwt
import pytest

from aurorasoc.core.access.permissions import ROLE_PERMISSIONS
from tests.component.cli.conftest import Shell
from tests.examples import JWT_SECRET


def _claims(shell: Shell, *arguments: str) -> dict[str, object]:
    result = shell("token", "create", *arguments)
    assert result.code == 0, result.err
    return dict(jwt.decode(result.out.strip(), JWT_SECRET, algorithms=["HS256"]))


def test_a_token_is_an_admins_by_default(shell: Shell) -> None:
    """For a first run."""
    claims = _claims(shell)
    assert (claims["sub"], claims["roles"]) == ("admin", ["admin"])


@pytest.mark.parametrize("role", sorted(ROLE_PERMISSIONS))
def test_a_token_has_the_role_it_was_made_for(shell: Shell, role: str) -> None:
    """And no other."""
    assert _claims(shell, "someone", "--role", role)["roles"] == [role]


def test_a_token_may_have_several_roles(shell: Shell) -> None:
    """The option may be repeated."""
    assert _claims(shell, "--role", "viewer", "--role", "analyst")["roles"] == [
        "viewer",
        "analyst",
    ]


def test_a_token_ends(shell: Shell) -> None:
    """When it was told to."""
    expires = _claims(shell, "--hours", "1")["exp"]
    assert isinstance(expires, int)
    assert 0 < expires - time.time() <= 3600


@pytest.mark.parametrize("hours", ["0", "-1", "8761", "nan", "soon"])
def test_a_lifetime_is_bounded(shell: Shell, hours: str) -> None:
    """A token without an end is a password."""
    result = shell("token", "create", "--hours", hours)
    assert (result.code, result.out) == (2, "")


def test_an_unknown_role_is_refused_and_the_known_are_named(shell: Shell) -> None:
    """A typing mistake isn't a role without permissions."""
    result = shell("token", "create", "--role", "root")
    assert result.code == 2
    assert all(role in result.error for role in ROLE_PERMISSIONS)
