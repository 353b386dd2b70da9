"""From what went wrong on the wire to one of our errors.

A refusal is read by its status and by marks in its body, of which nothing else is kept. What
the connection raised is read by its class; a translator that can't read an answer needs no
classification: the answer is not a usable completion.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator, Mapping
from typing import Final

from aurorasoc.errors import (
    AuroraError,
    AuthFailed,
    BadResponse,
    ModelCallError,
    ModelNotFound,
    ProviderRateLimited,
    ProviderTimeout,
    ProviderUnreachable,
    QuotaExceeded,
    RequestRefused,
    TlsError,
)
from aurorasoc.granite import ModelReference

_Verdict = tuple[type[ModelCallError], str]

_KEY: Final = (AuthFailed, "{provider} refused the key. Enter a valid one.")
_MODEL: Final = (ModelNotFound, "{provider} doesn't know the model {model}. Set another one.")
_QUOTA: Final = (
    QuotaExceeded,
    "The quota or balance at {provider} is used up. Check the account there.",
)
_TIMEOUT: Final = (
    ProviderTimeout,
    "{provider} didn't answer within {timeout:g} s. Try again, or raise LLM_TIMEOUT.",
)
_TLS: Final = (
    TlsError,
    "TLS to {provider} failed. Its certificate must be trusted here: SSL_CERT_FILE names the CAs.",
)
_NAME: Final = (ProviderUnreachable, "{provider}'s host name can't be resolved. Check its address.")
_UNREACHABLE: Final = (ProviderUnreachable, "{provider} can't be reached. Check its address.")
_PROXY: Final = (ProviderUnreachable, "The proxy on the way to {provider} refused the connection.")
_CUT: Final = (ProviderUnreachable, "The connection to {provider} was lost in mid-answer.")
_DOWN: Final = (
    ProviderUnreachable,
    "{provider} is overloaded or down ({status}). Try again later.",
)
_REDIRECT: Final = (
    BadResponse,
    "{provider} answered with a redirect, which is never followed. Set the final base URL.",
)
_REFUSED: Final = (
    RequestRefused,
    "{provider} refused the request ({status}). {model} may not support what the call needs.",
)
_BAD: Final = (BadResponse, "{provider} answered something that is not a usable completion.")
_LONG: Final = (BadResponse, "{provider} sent more than an answer may hold. The call was ended.")

_BY_STATUS: Final[dict[int, _Verdict]] = {
    400: _REFUSED,
    401: _KEY,
    402: _QUOTA,
    403: (AuthFailed, "{provider} refused the key for {model}. Check what it may do."),
    404: _MODEL,
    408: _TIMEOUT,
    429: (ProviderRateLimited, "{provider} limits the rate. Try again in a while."),
    502: _DOWN,
    503: _DOWN,
    504: _TIMEOUT,
    529: _DOWN,
}
_MARKS: Final[tuple[tuple[str, _Verdict], ...]] = (
    ("insufficient_quota", _QUOTA),
    ("insufficient balance", _QUOTA),
    ("credit balance is too low", _QUOTA),
    ("billing_not_active", _QUOTA),
    ("enable billing", _QUOTA),
    ("requestsperday", _QUOTA),  # Gemini's quotaId; its "…PerMinute…" limits the rate
    ("api key not valid", _KEY),
    ("api_key_invalid", _KEY),
    ("model not exist", _MODEL),
    ("model_not_found", _MODEL),
)
"""What vendors write where the status alone doesn't tell, in lower case."""

_WAITING: Final = (ssl.SSLWantReadError, ssl.SSLWantWriteError)
"""No failure: a handshake that waits for the other side, and may time out doing so."""

_MARKED: Final = frozenset({400, 403, 429})
"""The statuses that don't tell. What a page or an answer says beside others is no mark."""

_CLIENT_ERROR: Final = 400
_STATUS_OF: Final = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "invalid_api_key": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "model_not_found": 404,
    "insufficient_quota": 429,
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "api_error": 500,
    "server_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}
"""The status that a vendor documents for what it names inside an answer."""

_BY_CLASS: Final[tuple[tuple[str, _Verdict], ...]] = (
    ("AnswerTooLong", _LONG),
    ("StreamBrokenOff", _CUT),
    ("ProxyError", _PROXY),
    ("ReadError", _CUT),
    ("WriteError", _CUT),
    ("RemoteProtocolError", _CUT),
    ("TimeoutException", _TIMEOUT),
    ("ConnectError", _UNREACHABLE),
)
"""Names of httpx's classes and ours: httpx is not imported for this, it costs 46 ms."""


class AnswerTooLong(Exception):
    """A provider sent more than an answer may hold; what came is thrown away."""


class NoEventStream(Exception):
    """A stream was asked for, and what came is none."""


class StreamBrokenOff(Exception):
    """A stream ended without the vendor's closing word: half an answer is no answer."""


def translate(error: Exception, reference: ModelReference) -> AuroraError:
    """Make one of our errors of whatever a call raised."""
    chain = list(_chain(error))
    for cause in chain:
        if isinstance(cause, AuroraError):
            return cause
    return _failure(_classify(chain), reference)


def failure_of_answer(status: int, text: str, reference: ModelReference) -> ModelCallError:
    """Make one of our errors of an HTTP answer: its status, and marks in its text."""
    return _failure(_marked(status, text) or _of_status(status), reference, status)


def failure_in_stream(error: object, reference: ModelReference) -> ModelCallError:
    """Make one of our errors of an error that came inside an answer: its code or its type."""
    fields = error if isinstance(error, Mapping) else {}
    named = [fields.get(name) for name in ("code", "type", "status")]
    statuses = [_STATUS_OF.get(name, 0) if isinstance(name, str) else name for name in named]
    status = next((s for s in statuses if isinstance(s, int) and s >= _CLIENT_ERROR), 0)
    return failure_of_answer(status, str(error), reference)


def _failure(verdict: _Verdict, reference: ModelReference, status: int = 0) -> ModelCallError:
    leaf, said = verdict
    detail = said.format(
        provider=reference.provider,
        model=reference.model,
        timeout=reference.limits.timeout,
        status=status,
    )
    return leaf(detail, provider=reference.provider, model=reference.model)


def _classify(chain: list[BaseException]) -> _Verdict:
    if isinstance(chain[0], TimeoutError):  # whatever was under way then is its context
        return _TIMEOUT
    if any(isinstance(c, ssl.SSLError) and not isinstance(c, _WAITING) for c in chain):
        return _TLS
    if any(isinstance(cause, socket.gaierror) for cause in chain):
        return _NAME
    names = {cls.__name__ for cause in chain for cls in type(cause).__mro__}
    return next((verdict for name, verdict in _BY_CLASS if name in names), _BAD)


def _marked(status: int, text: str) -> _Verdict | None:
    if status not in _MARKED:
        return None
    said = text.lower()
    return next((verdict for mark, verdict in _MARKS if mark in said), None)


def _of_status(status: int) -> _Verdict:
    redirected = 300 <= status < 400  # noqa: PLR2004 - RFC 9110 §15.4
    return _REDIRECT if redirected else _BY_STATUS.get(status, _BAD)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Walk from what was raised to what caused it, each exception once."""
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        current = current.__cause__ or current.__context__
