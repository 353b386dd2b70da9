"""Map every answer of Vault to a named outcome.

hvac's own exceptions are not used: they say less than the status and the body do (three
different 404s, 503 for sealed, a 200 page from a load balancer).
https://developer.hashicorp.com/vault/api-docs
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final, Literal, TypeVar

from aurorasoc.core import foreign_json
from aurorasoc.errors import SecretStoreUnavailable

VaultTrouble = Literal["sealed", "denied", "unreachable", "unauthenticated"]

T = TypeVar("T")

_OK: Final = frozenset({HTTPStatus.OK, HTTPStatus.NO_CONTENT})
_STANDBY: Final = frozenset({412, 429, 472, 473})
"""A standby that lags or can't answer, a quota, a secondary, a performance standby."""


class VaultProblem(SecretStoreUnavailable):
    """Vault refused or didn't answer. It certainly changed nothing.

    Args:
        detail: What is wrong and what to do.
        trouble: What the inventory shows.
    """

    def __init__(self, detail: str, trouble: VaultTrouble) -> None:
        super().__init__(detail)
        self.trouble: VaultTrouble = trouble


class VaultUndecided(SecretStoreUnavailable):
    """A write may or may not have happened: the answer was lost."""


class VaultConflict(SecretStoreUnavailable):
    """Check-and-set failed: the secret has another version than expected."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A status, and the body's JSON object: empty for any other body."""

    status: int
    body: Mapping[str, Any]

    @property
    def errors(self) -> str:
        """What Vault says is wrong, in lower case."""
        messages = self.body.get("errors")
        return " ".join(str(m) for m in messages).lower() if isinstance(messages, list) else ""

    @property
    def refuses(self) -> bool:
        """Whether Vault refuses, rather than a node that can't answer now."""
        client_error = HTTPStatus.BAD_REQUEST <= self.status < HTTPStatus.INTERNAL_SERVER_ERROR
        return client_error and self.status not in _STANDBY


def read_answer(status: int, content: bytes) -> Answer:
    """Read an answer; a 200 page from a load balancer is not a success."""
    if status == HTTPStatus.NO_CONTENT:
        return Answer(status, {})
    try:
        body = foreign_json.parsed(content)
    except ValueError:
        body = None
    if isinstance(body, dict):
        return Answer(status, body)
    return Answer(status if status not in _OK else HTTPStatus.BAD_GATEWAY, {})


def require_success(answer: Answer, *, wrote: bool = False) -> None:
    """Raise the named error unless the answer is a success.

    Only a 503 with Vault's own body proves that nothing was written. Proxies answer 503 too, even
    when they lose the connection after they forwarded the request.

    Raises:
        VaultUndecided: A write may have happened.
        VaultProblem: Any other failure.
    """
    if answer.status in _OK:
        return
    if answer.status == HTTPStatus.SERVICE_UNAVAILABLE and (answer.errors or not wrote):
        detail = "Vault is sealed, or in maintenance. Unseal it."
        raise VaultProblem(detail, "sealed")
    if answer.status == HTTPStatus.NOT_IMPLEMENTED:
        detail = "Vault isn't initialised. Initialise and unseal it."
        raise VaultProblem(detail, "sealed")
    if wrote and answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        detail = "Vault failed while writing: it may or may not have happened."
        raise VaultUndecided(detail)
    if answer.status in _STANDBY:
        detail = "This Vault node can't answer now (standby or quota). Try again."
        raise VaultProblem(detail, "unreachable")
    raise _not_vault(answer)


def require_mount(answer: Answer) -> None:
    """Accept a 404 for a secret (no errors, or metadata), refuse one for a mount (errors).

    Raises:
        VaultProblem: The 404 isn't about a secret.
    """
    if answer.errors:
        detail = "Vault has no KV version 2 engine there. Check VAULT_KV_MOUNT."
        raise VaultProblem(detail, "denied")
    if isinstance(answer.body.get("errors"), list) or isinstance(answer.body.get("data"), dict):
        return
    raise _not_vault(answer)


def field(answer: Answer, kind: type[T], *path: str, wrote: bool = False) -> T:
    """Return a field of a success; a body without it isn't Vault's.

    Raises:
        VaultUndecided: The field is missing after a write.
        VaultProblem: The field is missing after a read.
    """
    value: Any = answer.body
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    if isinstance(value, kind):
        return value
    if wrote:
        detail = "What answered the write isn't Vault: it may or may not have happened."
        raise VaultUndecided(detail)
    raise _not_vault(answer)


def _not_vault(answer: Answer) -> VaultProblem:
    detail = f"What answers at VAULT_ADDR doesn't answer as Vault does (status {answer.status})."
    return VaultProblem(detail, "unreachable")
