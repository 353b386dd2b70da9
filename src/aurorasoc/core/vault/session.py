"""The token for requests: static, or from a login that is repeated when the token expires."""

from __future__ import annotations

import asyncio
import time
from http import HTTPStatus
from pathlib import Path
from typing import Final

from hvac.api.auth_methods import AppRole, Kubernetes, Token
from pydantic import SecretStr

from aurorasoc.config.settings.vault import VaultSettings
from aurorasoc.core.vault.answers import Answer, VaultProblem, field, require_success
from aurorasoc.core.vault.lease import Lease
from aurorasoc.core.vault.transport import Request, VaultTransport

FRESH_SECONDS: Final = 60.0
"""After a 403, a younger token that Vault still accepts isn't replaced: the policy forbids."""

LONGEST_PAUSE: Final = 300.0
"""Maximum seconds between logins after a refusal. Vault locks a role for all its users after too
many wrong secret ids (https://developer.hashicorp.com/vault/docs/concepts/user-lockout)."""


class VaultSession:
    """Sends requests with a valid token.

    Args:
        settings: How to log in.
        transport: Sends the requests.

    Attributes:
        lease: How long the token is valid; None if unknown, or if it never expires.
        renewed: Set whenever there is a new lease.
    """

    def __init__(self, settings: VaultSettings, transport: VaultTransport) -> None:
        self._settings = settings
        self._transport = transport
        self._token = settings.token
        self._logins = 0
        self._logged_in_at = 0.0
        self._refusals = 0
        self._not_before = 0.0
        self._logging_in = asyncio.Lock()
        self.lease: Lease | None = None
        self.renewed = asyncio.Event()

    @property
    def can_log_in(self) -> bool:
        """Whether a login is configured, not only a static token."""
        return bool(self._settings.role_id or self._settings.k8s_role)

    async def ask(self, request: Request, *, writes: bool = False) -> Answer:
        """Send a request; on a 403, log in again once, then raise the reason.

        Raises:
            VaultUndecided: The answer to a write was lost.
            VaultProblem: There is no answer, or the 403 persists.
        """
        if self._token is None:
            await self.log_in(self._logins)
        seen = self._logins
        answer = await self._send(request, writes=writes)
        if answer.status == HTTPStatus.FORBIDDEN and self.can_log_in:
            await self.log_in(seen)
            answer = await self._send(request, writes=writes)
        if answer.status == HTTPStatus.FORBIDDEN:
            await self._raise_forbidden()
        return answer

    async def look_up(self) -> None:
        """Ask how long a static token is valid.

        Raises:
            VaultProblem: Vault refuses or doesn't answer.
        """
        answer = await self.ask(lambda vault: Token(vault).lookup_self())
        require_success(answer)
        self._hold(Lease.of_lookup(answer))

    async def renew(self) -> bool:
        """Renew the token; return False if Vault grants no more time.

        Raises:
            VaultProblem: Vault doesn't answer.
        """
        before = self.lease
        answer = await self._send(lambda vault: Token(vault).renew_self())
        if answer.refuses or answer.status == HTTPStatus.INTERNAL_SERVER_ERROR:
            return False  # Vault answers 500 for a token past its maximum lifetime
        require_success(answer)
        granted = Lease.of_login(answer)
        if before is not None and granted is not None and not granted.outlasts(before):
            return False
        self._hold(granted)
        return True

    async def log_in(self, seen: int | None = None) -> None:
        """Log in, unless another caller did since `seen`: concurrent callers share one login.

        Args:
            seen: Number of logins when the token was refused; None always logs in.

        Raises:
            VaultProblem: Vault doesn't answer, or refuses the login.
        """
        async with self._logging_in:
            if seen is not None and (self._logins != seen or await self._is_fresh()):
                return
            self._require_patience()
            answer = await self._transport.send(self._login(), None)
            if answer.refuses:
                raise self._refused()
            require_success(answer)
            self._accept(answer)

    async def _send(self, request: Request, *, writes: bool = False) -> Answer:
        return await self._transport.send(request, self._token, writes=writes)

    async def _is_fresh(self) -> bool:
        """Return whether Vault accepts a recent token: a new login wouldn't help."""
        if not self._logins or time.monotonic() - self._logged_in_at > FRESH_SECONDS:
            return False
        answer = await self._send(lambda vault: Token(vault).lookup_self())
        return answer.status == HTTPStatus.OK

    def _require_patience(self) -> None:
        wait = self._not_before - time.monotonic()
        if wait > 0:
            detail = (
                "Vault refused the login. Check the role, its secret and its bindings; the next "
                f"try is in {wait:.0f} s."
            )
            raise VaultProblem(detail, "unauthenticated")

    def _refused(self) -> VaultProblem:
        """Record a refusal: each doubles the pause until the next login."""
        self._refusals += 1
        self._not_before = time.monotonic() + min(2.0**self._refusals, LONGEST_PAUSE)
        detail = "Vault refuses the login. Check the role, its secret and its bindings."
        return VaultProblem(detail, "unauthenticated")

    def _accept(self, answer: Answer) -> None:
        self._token = SecretStr(field(answer, str, "auth", "client_token"))
        self._logins += 1
        self._logged_in_at, self._refusals = time.monotonic(), 0
        self._hold(Lease.of_login(answer))

    def _hold(self, lease: Lease | None) -> None:
        self.lease = lease
        self.renewed.set()

    def _login(self) -> Request:
        settings = self._settings
        if settings.role_id is not None:
            secret = settings.secret_id.get_secret_value() if settings.secret_id else None
            return lambda vault: AppRole(vault).login(settings.role_id, secret, use_token=False)
        if settings.k8s_role is not None:
            role, file = settings.k8s_role, settings.k8s_token_file
            return lambda vault: Kubernetes(vault).login(
                role, _service_account_token(file), use_token=False
            )
        detail = "Vault has no login: set VAULT_TOKEN, VAULT_ROLE_ID or VAULT_K8S_ROLE."
        raise VaultProblem(detail, "unauthenticated")

    async def _raise_forbidden(self) -> None:
        """Raise the reason of a 403: an expired token, or the policy."""
        answer = await self._send(lambda vault: Token(vault).lookup_self())
        if answer.status == HTTPStatus.OK:
            detail = "Vault's policy denies this path. docs/vault.md has the policy that is needed."
            raise VaultProblem(detail, "denied")
        if answer.status != HTTPStatus.FORBIDDEN:
            require_success(answer)
        detail = "Vault no longer accepts the token. Set a valid VAULT_TOKEN."
        raise VaultProblem(detail, "unauthenticated")


def _service_account_token(file: Path) -> str:
    """Read the pod's service account token each time: the kubelet replaces it.

    Raises:
        VaultProblem: There is none.
    """
    try:
        return file.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        detail = "The pod has no service account token. Check VAULT_K8S_TOKEN_FILE."
        raise VaultProblem(detail, "unauthenticated") from None
