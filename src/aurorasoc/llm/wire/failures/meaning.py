"""What a provider's error means: by marks in what it says, else by its status."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Final

from aurorasoc.llm.wire.failures.error_bodies import ErrorBody
from aurorasoc.llm.wire.failures.marks import (
    FILTERS,
    IN_ANSWER,
    MARKS,
    NAMED,
    NO_SUCH_MODEL,
    WINDOWS,
)
from aurorasoc.llm.wire.failures.verdicts import (
    BAD,
    ENDPOINT,
    GAVE_UP,
    KEY,
    KEY_FOR_MODEL,
    MODEL,
    OVERLOADED,
    PROXY,
    QUOTA,
    RATE,
    REDIRECT,
    REFUSED,
    REQUEST_SIZE,
    Verdict,
)

_BY_STATUS: Final[dict[int, Verdict]] = {
    400: REFUSED,
    401: KEY,
    402: QUOTA,
    403: KEY_FOR_MODEL,
    404: ENDPOINT,
    405: ENDPOINT,
    407: PROXY,
    408: GAVE_UP,
    410: ENDPOINT,
    413: REQUEST_SIZE,
    415: REFUSED,
    422: REFUSED,
    424: OVERLOADED,  # Text Generation Inference: the generation failed
    425: OVERLOADED,
    429: RATE,
    498: OVERLOADED,  # Groq: no capacity for the flex tier
    499: OVERLOADED,  # Envoy, Google: the call was cancelled over there
    501: REFUSED,  # llama.cpp: `not_supported_error`
    504: GAVE_UP,
    505: BAD,
    511: BAD,  # a captive portal
    524: GAVE_UP,  # Cloudflare: the origin took too long
}
_UNKNOWN: Final = frozenset({400, 404, 410, 422})


def verdict_of(status: int, body: ErrorBody) -> Verdict:
    """Return what an HTTP answer means that is no success."""
    return next(_marked(status, body), None) or _of_status(status)


def status_in(body: ErrorBody) -> int:
    """Return the status that an error inside an answer stands for; 0 where it names none."""
    named = (NAMED[line] for line in body.said.split("\n") if line in NAMED)
    return next(chain(body.statuses, named), 0)


def verdict_in_answer(status: int, body: ErrorBody) -> Verdict:
    """Return what an error inside an answer means; without a status the server itself failed."""
    return verdict_of(status or IN_ANSWER, body)


def context_window_in(body: ErrorBody) -> int | None:
    """Return the context window in tokens that an error names."""
    match = WINDOWS.search(body.said)
    return body.context_window or (int(match[1].replace(",", "")) if match else None)


def category_in(body: ErrorBody) -> str | None:
    """Return why a filter stopped the call, in the vendor's words."""
    lines = body.said.split("\n")
    return body.category or next((line for line in lines if line in FILTERS), None)


def _marked(status: int, body: ErrorBody) -> Iterator[Verdict]:
    for mark in MARKS:
        if status in mark.statuses and any(word in body.said for word in mark.words):
            yield mark.verdict
    if status in _UNKNOWN and NO_SUCH_MODEL.search(body.said):
        yield MODEL
    if status == 404 and body.about_model:  # noqa: PLR2004 - RFC 9110 §15.5.5
        yield MODEL


def _of_status(status: int) -> Verdict:
    if 300 <= status < 400:  # noqa: PLR2004 - RFC 9110 §15.4
        return REDIRECT
    failed = status >= 500  # noqa: PLR2004 - RFC 9110 §15.6
    return _BY_STATUS.get(status, OVERLOADED if failed else BAD)
