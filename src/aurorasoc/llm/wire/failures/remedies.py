"""Which failures another connection can mend (docs/decisions/047)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

from aurorasoc.errors import (
    AuthFailed,
    BadResponse,
    Blocked,
    ContextTooLong,
    ContextTruncated,
    EmptyAnswer,
    ModelCallError,
    ProviderOverloaded,
    ProviderRateLimited,
    ProviderTimeout,
    ProviderUnreachable,
    QuotaExceeded,
    Refused,
    TlsError,
)

Remedy = Literal["another", "larger", "local"]
"""Who can mend a failure: any other model, one with a larger context window, or a local one."""

_REMEDIES: Final[Mapping[type[ModelCallError], Remedy]] = {
    AuthFailed: "another",
    BadResponse: "another",
    Blocked: "local",
    ContextTooLong: "larger",
    ContextTruncated: "larger",
    EmptyAnswer: "another",
    ProviderOverloaded: "another",
    ProviderRateLimited: "another",
    ProviderTimeout: "another",
    ProviderUnreachable: "another",
    QuotaExceeded: "another",
    Refused: "local",
    TlsError: "another",
}


def remedy_for(failure: ModelCallError) -> Remedy | None:
    """Return who can mend a failure; None: nobody, or nobody has judged its class.

    A class that isn't listed inherits nothing: it is asked about only once somebody listed it.
    """
    return _REMEDIES.get(type(failure))
