"""From what went wrong on the wire to one of our errors.

A refusal is read by its status and by marks in its body, of which nothing else is kept. What
the connection raised is read by its class; a translator that can't read an answer needs no
classification: the answer is not a usable completion.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from http import HTTPStatus
from typing import Final, Literal
from urllib.parse import urlsplit, urlunsplit

from aurorasoc.errors import (
    AuroraError,
    BadResponse,
    ContextTooLong,
    ModelCallError,
    ProviderTimeout,
    ProviderUnreachable,
    RequestRefused,
    TlsError,
    ToolCallUnusable,
)
from aurorasoc.granite import ModelReference
from aurorasoc.granite.catalog import CATALOG
from aurorasoc.llm.wire.answers.outcome import repeatable
from aurorasoc.llm.wire.asking.learned import Refusable
from aurorasoc.llm.wire.failures import meaning, verdicts
from aurorasoc.llm.wire.failures.error_bodies import ErrorBody, error_in, read_error
from aurorasoc.llm.wire.failures.invalid import mark_invalid
from aurorasoc.llm.wire.failures.refusals import option_refused
from aurorasoc.llm.wire.failures.retry_after import retry_after
from aurorasoc.llm.wire.failures.verdicts import Verdict
from aurorasoc.llm.wire.patience import NoFirstToken

_TIMEOUT: Final = Verdict(
    ProviderTimeout,
    "{provider} didn't answer within {timeout:g} s. Try again, or raise {its_timeout}.",
)
_NO_TOKEN: Final = Verdict(
    ProviderTimeout,
    "{provider} sent no token within {first_token_timeout:g} s. Try again, or raise "
    "{its_first_token_timeout}.",
)
_TLS: Final = Verdict(
    TlsError,
    "TLS to {provider} failed. Its certificate must be trusted here: SSL_CERT_FILE names the CAs.",
)
_NAME: Final = Verdict(
    ProviderUnreachable, "{provider}'s host name can't be resolved. Check its address."
)
_UNREACHABLE: Final = Verdict(
    ProviderUnreachable, "{provider} can't be reached. Check its address, and that it runs."
)
_CUT: Final = Verdict(
    ProviderUnreachable,
    "The connection to {provider} was lost before its answer was whole. Try again.",
)
_LONG: Final = Verdict(
    BadResponse,
    "{provider} sent more than an answer may hold. Ask for less, or check its base URL.",
)

_NO_TOOL_CALL: Final = Verdict(
    ToolCallUnusable,
    "{model} of {provider} made a tool call whose arguments are no JSON. Try again, or choose "
    "another model.",
)

_WAITING: Final = (ssl.SSLWantReadError, ssl.SSLWantWriteError)
"""No failure: a handshake that waits for the other side, and may time out doing so."""

_BY_CLASS: Final[tuple[tuple[str, Verdict], ...]] = (
    ("AnswerTooLong", _LONG),
    ("StreamBrokenOff", _CUT),
    ("UnusableToolCall", _NO_TOOL_CALL),
    ("ProxyError", verdicts.PROXY),
    ("ReadError", _CUT),
    ("WriteError", _CUT),
    ("RemoteProtocolError", _CUT),
    ("TimeoutException", _TIMEOUT),
    ("ConnectError", _UNREACHABLE),
)
"""Names of httpx's classes and ours: httpx is not imported for this, it costs 46 ms."""

_BEFORE_SENDING: Final = frozenset({"ConnectError", "ConnectTimeout", "PoolTimeout", "ProxyError"})
"""Names of httpx's classes, as above: what raised them had no connection yet."""

_TOO_LATE: Final = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.GATEWAY_TIMEOUT})
"""Answers of whoever waited for a model, which may have worked all the same."""

_NO_HEADERS: Final[Mapping[str, str]] = {}


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
    failure = _failure(_classify(chain), reference)
    failure.may_have_cost = _may_have_been_sent(chain)
    return failure


def failure_of_answer(  # noqa: PLR0913 - what an answer is, and what it answers
    status: int,
    text: str,
    reference: ModelReference,
    *,
    sent: AbstractSet[Refusable] = frozenset(),
    url: str = "",
    headers: Mapping[str, str] = _NO_HEADERS,
) -> ModelCallError:
    """Make one of our errors of an HTTP answer that is no success.

    Args:
        status: Its status.
        text: The beginning of its body.
        reference: Who was called.
        sent: What the request held that can be left out; an `OptionRefused` may name it.
        url: The URL that was called.
        headers: The answer's headers, for what they say of when to try again.
    """
    body = read_error(text)
    if refusal := option_refused(status, body, sent, reference):
        refusal.may_have_cost = False
        return refusal
    asked = retry_after(headers)
    wait = body.retry_after if asked is None else asked
    verdict = meaning.verdict_of(status, body)
    failure = _failure(verdict, reference, status=status, url=url, wait=wait, body=body)
    failure.may_have_cost = status in _TOO_LATE
    return failure


def failure_in_document(
    document: object, reference: ModelReference, sent: AbstractSet[Refusable] = frozenset()
) -> ModelCallError | None:
    """Make one of our errors of an error that came inside an answer; None if it is none.

    Args:
        document: An answer, or an event of a stream.
        reference: Who was called.
        sent: What the request held that can still be left out, as in `failure_of_answer`.
    """
    error = error_in(document)
    if error is None:
        return None
    body = read_error(error)
    if refusal := option_refused(0, body, sent, reference):
        return refusal
    status = meaning.status_in(body)
    verdict = meaning.verdict_in_answer(status, body)
    return _failure(verdict, reference, status=status, wait=body.retry_after, body=body)


def name_of_timeout(reference: ModelReference) -> str:
    """Name what sets the time for a whole answer."""
    return _name_of("timeout", reference)


def _name_of(limit: Literal["timeout", "first_token_timeout"], reference: ModelReference) -> str:
    if getattr(reference.options, limit) is None:
        return f"LLM_{limit.upper()}"
    return f"the option {limit} of {reference.connection}"


def _failure(  # noqa: PLR0913 - what a detail may name
    verdict: Verdict,
    reference: ModelReference,
    *,
    status: int = 0,
    url: str = "",
    wait: float | None = None,
    body: ErrorBody | None = None,
) -> ModelCallError:
    category = None if body is None else repeatable(meaning.category_in(body), reference)
    detail = verdict.detail.format(
        provider=reference.connection,
        model=reference.model,
        timeout=reference.limits.timeout,
        first_token_timeout=reference.limits.first_token_timeout,
        its_timeout=name_of_timeout(reference),
        its_first_token_timeout=_name_of("first_token_timeout", reference),
        status=status or "in its answer",
        url=_shown(url or reference.base_url or reference.origin),
        fix=_fix(url, reference),
        again="later" if wait is None else f"in {wait:g} s",
        why=f" ({category})" if category else "",
    )
    error = verdict.leaf(detail, provider=reference.provider, model=reference.model)
    error.retry_after = wait
    if isinstance(error, ContextTooLong) and body is not None:
        error.context_window = meaning.context_window_in(body)
    if isinstance(error, RequestRefused) and body is not None:
        mark_invalid(error, status, body, reference)
    error.category = category
    return error


def _shown(url: str) -> str:
    """Return a URL without its query."""
    return urlunsplit(urlsplit(url)._replace(query=""))


def _fix(url: str, reference: ModelReference) -> str:
    """Say what to change when nothing stands at a URL."""
    spec = CATALOG[reference.provider]
    if reference.base_url is None:
        return f"{spec.label} is called at its own address: check the proxy on the way."
    ending = _shown(url).removeprefix(reference.base_url)
    fix = f"The base URL is what comes before {ending}" if ending else "Check the base URL"
    root = spec.root_path
    if root and not reference.base_url.endswith(root):
        return f"{fix}; most servers want it to end with {root}."
    return f"{fix}: set the one that the server's documentation names."


def _classify(chain: list[BaseException]) -> Verdict:
    if isinstance(chain[0], TimeoutError):  # whatever was under way then is its context
        return _TIMEOUT
    if isinstance(chain[0], NoFirstToken):
        return _NO_TOKEN
    if any(isinstance(c, ssl.SSLError) and not isinstance(c, _WAITING) for c in chain):
        return _TLS
    if any(isinstance(cause, socket.gaierror) for cause in chain):
        return _NAME
    names = {cls.__name__ for cause in chain for cls in type(cause).__mro__}
    return next((verdict for name, verdict in _BY_CLASS if name in names), verdicts.BAD)


def _may_have_been_sent(chain: list[BaseException]) -> bool:
    """Whether a request may have reached its provider before it failed."""
    if isinstance(chain[0], TimeoutError):
        return True  # the connection may have stood by then
    names = {cls.__name__ for cause in chain for cls in type(cause).__mro__}
    return names.isdisjoint(_BEFORE_SENDING)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Walk from what was raised to what caused it, each exception once."""
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        current = current.__cause__ or current.__context__
