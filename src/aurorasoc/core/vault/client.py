"""Talking to Vault or OpenBao: every answer has a named outcome, and nothing blocks the loop.

hvac builds the requests; its exceptions are switched off, since they tell less than the status
and the body do (three different 404s, 503 for sealed, a 200 page from a load balancer).
https://developer.hashicorp.com/vault/api-docs/secret/kv/kv-v2
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

import hvac
import requests
from hvac.adapters import RawAdapter
from pydantic import SecretStr

from aurorasoc.config.settings.vault import VaultSettings
from aurorasoc.errors import SecretStoreUnavailable

TIMEOUT: Final = (2.0, 5.0)
"""Seconds to connect, and between two bytes of an answer."""

CALL_SECONDS: Final = 10.0
"""Seconds until a call is given up whose answer drips in byte by byte."""

WORKERS: Final = 4
PREFIX: Final = "aurorasoc/llm-providers"

VaultTrouble = Literal["sealed", "denied", "unreachable", "unauthenticated"]

T = TypeVar("T")

HTTP_SERVER_ERROR: Final = 500
_STANDBY: Final = frozenset({412, 429, 472, 473})
_OK: Final = frozenset({200, 204})


class VaultProblem(SecretStoreUnavailable):
    """Vault didn't do what was asked, and certainly changed nothing.

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
    """Check-and-set: the secret has another version than was assumed."""


@dataclass(frozen=True, slots=True)
class VaultSecret:
    """One version of a secret.

    Attributes:
        version: Counts from 1, and from 1 again after all of it was deleted.
        created: When it was written, as Vault says it; tells two first versions apart.
        fields: What is in it; hidden from `repr`.
    """

    version: int
    created: str
    fields: Mapping[str, SecretStr]


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    body: Mapping[str, Any]

    @property
    def errors(self) -> str:
        found = self.body.get("errors")
        return " ".join(str(e) for e in found).lower() if isinstance(found, list) else ""


class VaultClient:
    """Reads and writes provider secrets at `<mount>/aurorasoc/llm-providers/<provider>`.

    Args:
        settings: Address, login and mount.
    """

    def __init__(self, settings: VaultSettings) -> None:
        self._settings = settings
        self._pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="aurorasoc-vault")
        self._local = threading.local()
        self._token = settings.token.get_secret_value() if settings.token else ""
        self._logins = 0
        self._logging_in = asyncio.Lock()

    async def read(self, name: str, version: int | None = None) -> VaultSecret | None:
        """Give a version of a secret; None where there is none, or it was deleted.

        Args:
            name: The provider.
            version: None is the newest.

        Raises:
            VaultProblem: It can't be told.
        """
        answer = await self._call(
            lambda client: client.secrets.kv.v2.read_secret_version(
                path=f"{PREFIX}/{name}",
                version=version,
                mount_point=self._settings.kv_mount,
                raise_on_deleted_version=False,
            )
        )
        if answer.status == requests.codes.not_found:
            _require_known_mount(answer)
            return None
        _require(answer, wrote=False)
        return _secret(answer)

    async def current_version(self, name: str) -> int:
        """Give the version that check-and-set must name; 0 for a secret that never was.

        A soft-deleted secret wants its present version, not 0.

        Raises:
            VaultProblem: It can't be told.
        """
        answer = await self._call(
            lambda client: client.secrets.kv.v2.read_secret_metadata(
                path=f"{PREFIX}/{name}", mount_point=self._settings.kv_mount
            )
        )
        if answer.status == requests.codes.not_found:
            _require_known_mount(answer)
            return 0
        _require(answer, wrote=False)
        return _field(answer, int, "data", "current_version")

    async def write(self, name: str, fields: Mapping[str, str], *, cas: int) -> int:
        """Write a new version if the present one is `cas`. Give its number.

        Raises:
            VaultConflict: It isn't.
            VaultUndecided: It may have been written.
            VaultProblem: It was not written.
        """
        answer = await self._call(
            lambda client: client.secrets.kv.v2.create_or_update_secret(
                path=f"{PREFIX}/{name}",
                secret=dict(fields),
                cas=cas,
                mount_point=self._settings.kv_mount,
            ),
            writes=True,
        )
        if answer.status == requests.codes.bad_request and "check-and-set" in answer.errors:
            detail = "The secret was changed in Vault meanwhile. Try again."
            raise VaultConflict(detail)
        _require(answer, wrote=True)
        return _field(answer, int, "data", "version", wrote=True)

    async def delete(self, name: str) -> None:
        """Remove all versions and the metadata; no matter whether there were any.

        Raises:
            VaultUndecided: It may have been removed.
            VaultProblem: It was not.
        """
        answer = await self._call(
            lambda client: client.secrets.kv.v2.delete_metadata_and_all_versions(
                path=f"{PREFIX}/{name}", mount_point=self._settings.kv_mount
            ),
            writes=True,
        )
        if answer.status == requests.codes.not_found:
            _require_known_mount(answer)
            return
        _require(answer, wrote=True)

    def close(self) -> None:
        """Let the threads end; one that hangs in a call ends with that call's time-out."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def _call(
        self, request: Callable[[hvac.Client], requests.Response], *, writes: bool = False
    ) -> _Answer:
        """Call, log in again once when the token has run out, and name what went wrong."""
        if not self._token:
            await self._login(self._logins)
        seen = self._logins
        answer = await self._run(request, writes=writes)
        if answer.status == requests.codes.forbidden and self._can_log_in:
            await self._login(seen)
            answer = await self._run(request, writes=writes)
        if answer.status == requests.codes.forbidden:
            await self._raise_forbidden()
        return answer

    async def _run(
        self, request: Callable[[hvac.Client], requests.Response], *, writes: bool
    ) -> _Answer:
        """Run in the pool. A thread that hangs is left behind; the pool bounds how many can."""
        loop = asyncio.get_running_loop()
        work = loop.run_in_executor(self._pool, lambda: request(self._client()))
        try:
            async with asyncio.timeout(CALL_SECONDS):
                return _answer_of(await work)
        except (requests.RequestException, OSError, TimeoutError) as error:
            unsent = isinstance(error, requests.ConnectTimeout) or _refused(error)
        if writes and not unsent:
            detail = "Vault's answer was lost: the write may or may not have happened."
            raise VaultUndecided(detail)
        detail = "Vault can't be reached. Check VAULT_ADDR, VAULT_CACERT and the network."
        raise VaultProblem(detail, "unreachable")

    def _client(self) -> hvac.Client:
        """Give this thread's client: sessions are not to be shared between threads."""
        client = getattr(self._local, "client", None)
        if client is None:
            session = requests.Session()
            session.trust_env = False  # no .netrc, no proxy, no CA bundle from the environment
            session.verify = str(self._settings.cacert) if self._settings.cacert else True
            client = hvac.Client(
                url=self._settings.addr,
                token="",  # None would be read from the environment or the home folder
                verify=session.verify,
                timeout=TIMEOUT,
                allow_redirects=False,  # a redirect would be sent the token
                session=session,
                adapter=RawAdapter,
                namespace=self._settings.namespace,
                ignore_exceptions=True,
            )
            self._local.client = client
        client.token = self._token
        return client

    @property
    def _can_log_in(self) -> bool:
        return bool(self._settings.role_id or self._settings.k8s_role)

    async def _login(self, seen: int) -> None:
        """Log in, unless someone did since `seen`: one login, however many callers need it."""
        async with self._logging_in:
            if self._logins != seen:
                return
            answer = await self._run(self._login_request(), writes=False)
            if answer.status in {*range(400, 500)} - _STANDBY:
                detail = "Vault refuses the login. Check the role, its secret and its bindings."
                raise VaultProblem(detail, "unauthenticated")
            _require(answer, wrote=False)
            self._token = _field(answer, str, "auth", "client_token")
            self._logins += 1

    def _login_request(self) -> Callable[[hvac.Client], requests.Response]:
        settings = self._settings
        if settings.role_id is not None:
            secret = settings.secret_id.get_secret_value() if settings.secret_id else None
            return lambda client: client.auth.approle.login(
                role_id=settings.role_id, secret_id=secret, use_token=False
            )
        if settings.k8s_role is not None:
            role, file = settings.k8s_role, settings.k8s_token_file
            return lambda client: client.auth.kubernetes.login(
                role=role, jwt=_service_account_token(file), use_token=False
            )
        detail = "Vault has no login: set VAULT_TOKEN, VAULT_ROLE_ID or VAULT_K8S_ROLE."
        raise VaultProblem(detail, "unauthenticated")

    async def _raise_forbidden(self) -> None:
        """Tell a token that has run out from a policy that forbids."""
        answer = await self._run(lambda client: client.auth.token.lookup_self(), writes=False)
        if answer.status == requests.codes.ok:
            detail = "Vault's policy denies this path. docs/vault.md has the policy that is needed."
            raise VaultProblem(detail, "denied")
        if answer.status != requests.codes.forbidden:
            _require(answer, wrote=False)
        detail = "Vault doesn't accept the token any more. Give a valid VAULT_TOKEN."
        raise VaultProblem(detail, "unauthenticated")


def _answer_of(response: requests.Response) -> _Answer:
    """Read an answer; a page from a load balancer is no answer of Vault's."""
    if response.status_code == requests.codes.no_content:
        return _Answer(response.status_code, {})
    try:
        body = response.json()
    except ValueError:
        body = None
    if isinstance(body, dict):
        return _Answer(response.status_code, body)
    return _Answer(response.status_code if response.status_code not in _OK else 502, {})


def _require(answer: _Answer, *, wrote: bool) -> None:
    """Refuse whatever isn't a plain success, by name.

    A 503 is Vault's own word that it did nothing only if it says so as Vault does: proxies answer
    503 too, also when they lost the connection after the request had gone through.
    """
    if answer.status in _OK:
        return
    if answer.status == requests.codes.service_unavailable and (answer.errors or not wrote):
        detail = "Vault is sealed, or in maintenance. Unseal it."
        raise VaultProblem(detail, "sealed")
    if answer.status == requests.codes.not_implemented:
        detail = "Vault isn't initialised. Initialise and unseal it."
        raise VaultProblem(detail, "sealed")
    if wrote and answer.status >= HTTP_SERVER_ERROR and answer.status not in _STANDBY:
        detail = "Vault failed while writing: it may or may not have happened."
        raise VaultUndecided(detail)
    if answer.status in _STANDBY:
        detail = "This Vault node can't answer now (standby or quota). Try again."
        raise VaultProblem(detail, "unreachable")
    detail = f"What answers at VAULT_ADDR doesn't answer as Vault does (status {answer.status})."
    raise VaultProblem(detail, "unreachable")


def _require_known_mount(answer: _Answer) -> None:
    """Tell "no such secret" (no errors, or metadata) from "no such mount" (errors)."""
    if answer.errors:
        detail = "Vault has no KV version 2 engine there. Check VAULT_KV_MOUNT."
        raise VaultProblem(detail, "denied")
    if isinstance(answer.body.get("errors"), list) or isinstance(answer.body.get("data"), dict):
        return
    detail = "What answers at VAULT_ADDR doesn't answer as Vault does (status 404)."
    raise VaultProblem(detail, "unreachable")


def _secret(answer: _Answer) -> VaultSecret:
    fields = _field(answer, dict, "data", "data")
    return VaultSecret(
        version=_field(answer, int, "data", "metadata", "version"),
        created=_field(answer, str, "data", "metadata", "created_time"),
        fields={str(name): SecretStr(str(value)) for name, value in fields.items()},
    )


def _field(answer: _Answer, kind: type[T], *path: str, wrote: bool = False) -> T:
    """Give what stands in a success; a body of another shape is no answer of Vault's.

    Raises:
        VaultUndecided: It answers a write.
        VaultProblem: It answers anything else.
    """
    found: Any = answer.body
    for name in path:
        found = found.get(name) if isinstance(found, dict) else None
    if isinstance(found, kind):
        return found
    if wrote:
        detail = "What answered the write isn't Vault: it may or may not have happened."
        raise VaultUndecided(detail)
    detail = "What answers at VAULT_ADDR doesn't answer as Vault does."
    raise VaultProblem(detail, "unreachable")


def _refused(error: BaseException) -> bool:
    """Whether no connection was made at all, so that nothing can have been written."""
    text = repr(error)
    return "NewConnectionError" in text or "NameResolutionError" in text or "SSLError" in text


def _service_account_token(file: Path) -> str:
    """Read the pod's own token.

    Raises:
        VaultProblem: There is none.
    """
    try:
        return file.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        detail = "The pod has no service account token. Check VAULT_K8S_TOKEN_FILE."
        raise VaultProblem(detail, "unauthenticated") from None
