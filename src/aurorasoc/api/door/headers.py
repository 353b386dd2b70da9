"""What an answer's headers say beside OpenAI's body."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from aurorasoc.errors import Attempt
from aurorasoc.workflows.completion import Answering

ATTEMPTS: Final = "x-aurora-attempts"


def headers_of(answering: Answering, left_out: Iterable[str]) -> dict[str, str]:
    """Return who answers, and what of the request didn't reach them."""
    headers = {
        "x-aurora-connection": answering.connection,
        "x-aurora-revision": str(answering.revision),
    }
    if answering.attempts:
        headers[ATTEMPTS] = shown_attempts(answering.attempts)
    names = sorted(left_out)
    if names:
        headers["x-aurora-left-out"] = ", ".join(names)
    return headers


def as_comment(headers: Mapping[str, str]) -> str:
    """Return headers as a comment of a stream (WHATWG HTML §9.2); nothing if there are none."""
    lines = "".join(f": {name}: {value}\n" for name, value in headers.items())
    return lines and f"{lines}\n"


def shown_attempts(attempts: Iterable[Attempt]) -> str:
    """Return who was asked, in order, as a structured list (RFC 9651 §3.1).

    One that failed, or was passed over, has a code: `first;code=overloaded, second`.
    """
    return ", ".join(
        one.connection if one.code is None else f"{one.connection};code={one.code}"
        for one in attempts
    )
