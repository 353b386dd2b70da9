"""Send requests to Vault off the event loop, bounded in time and size.

hvac's API classes build the requests. Its client isn't used: it reads a token from the home
folder, and client certificates from the environment.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final
from urllib.parse import urlsplit

import requests
from hvac.adapters import Adapter, RawAdapter
from pydantic import SecretStr
from urllib3.exceptions import HTTPError

from aurorasoc.config.settings.vault import VaultSettings
from aurorasoc.core.logs import get_logger
from aurorasoc.core.vault.answers import Answer, VaultProblem, VaultUndecided, read_answer

TIMEOUT: Final = (2.0, 5.0)
"""Seconds to connect, and between two bytes of an answer."""

CALL_SECONDS: Final = 10.0
"""Maximum seconds for a call, even if its answer arrives byte by byte."""

MAX_BYTES: Final = 2**20
"""No secret is larger (https://developer.hashicorp.com/vault/docs/internals/limits)."""

WORKERS: Final = 4

Request = Callable[[Adapter], Any]
"""Makes one request with hvac's API classes, which return the adapter's `Answer`."""

log = get_logger("aurorasoc.vault")

_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})
_PIECE: Final = 2**16
_NEVER_SENT: Final = (
    requests.ConnectTimeout,
    ConnectionRefusedError,
    socket.gaierror,
    ssl.SSLCertVerificationError,
)


class VaultTransport:
    """Sends requests to Vault in its own threads, so that a hanging one blocks no other work.

    Args:
        settings: Address, certificate authorities and namespace.
    """

    def __init__(self, settings: VaultSettings) -> None:
        address = urlsplit(settings.addr or "")
        if address.scheme == "http" and address.hostname not in _LOOPBACK:
            log.warning("VAULT_ADDR is http: tokens and keys travel in the clear")
        self._settings = settings
        self._threads = ThreadPoolExecutor(WORKERS, thread_name_prefix="aurorasoc-vault")
        self._local = threading.local()

    async def send(
        self, request: Request, token: SecretStr | None, *, writes: bool = False
    ) -> Answer:
        """Send a request, and read the whole answer.

        Raises:
            VaultUndecided: The answer to a write was lost.
            VaultProblem: There is no answer, and nothing was written.
        """
        loop = asyncio.get_running_loop()
        work = loop.run_in_executor(self._threads, self._in_thread, request, token)
        try:
            async with asyncio.timeout(CALL_SECONDS):
                return await work
        except (requests.RequestException, HTTPError, OSError) as error:
            undecided = writes and not _never_sent(error)
        if undecided:
            detail = "Vault's answer was lost: the write may or may not have happened."
            raise VaultUndecided(detail)
        detail = "Vault can't be reached. Check VAULT_ADDR, VAULT_CACERT and the network."
        raise VaultProblem(detail, "unreachable")

    def close(self) -> None:
        """Shut down the threads; a hanging call ends at its time-out."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _in_thread(self, request: Request, token: SecretStr | None) -> Answer:
        adapter = self._adapter()
        adapter.token = token.get_secret_value() if token else None
        answer: Answer = request(adapter)
        return answer

    def _adapter(self) -> _BoundedAdapter:
        """Return this thread's adapter: threads must not share a session."""
        if not hasattr(self._local, "adapter"):
            self._local.adapter = _BoundedAdapter(
                base_uri=self._settings.addr,
                session=_session(self._settings),
                timeout=TIMEOUT,
                allow_redirects=False,  # a redirect's target would receive the token
                namespace=self._settings.namespace,
            )
        adapter: _BoundedAdapter = self._local.adapter
        return adapter


class _BoundedAdapter(RawAdapter):  # type: ignore[misc]  # hvac ships no types
    """Reads answers in pieces, so that none blocks a thread for ever or fills the memory."""

    def request(
        self,
        method: str,
        url: str,
        headers: dict[str, str] | None = None,
        raise_exception: bool = True,  # noqa: FBT001, FBT002 - hvac's signature
        **kwargs: Any,
    ) -> Answer:
        del raise_exception  # never: the answer says more
        end = time.monotonic() + CALL_SECONDS
        with super().request(
            method, url, headers, raise_exception=False, stream=True, **kwargs
        ) as response:
            return read_answer(response.status_code, _content(response, end))


def _session(settings: VaultSettings) -> requests.Session:
    session = requests.Session()
    session.trust_env = False  # no .netrc, no proxy, no CA bundle from the environment
    session.verify = str(settings.cacert) if settings.cacert else True
    return session


def _content(response: requests.Response, end: float) -> bytes:
    """Read a body in pieces.

    Raises:
        requests.Timeout: It takes too long, or is too large.
        urllib3.exceptions.HTTPError: The connection breaks.
    """
    content = b""
    while piece := response.raw.read1(_PIECE, decode_content=True):
        content += piece
        if len(content) > MAX_BYTES or time.monotonic() > end:
            raise requests.Timeout
    return content


def _never_sent(error: BaseException | None) -> bool:
    """Return whether no connection was made, so that nothing can have been written."""
    while error is not None and not isinstance(error, _NEVER_SENT):
        error = error.__context__
    return error is not None
