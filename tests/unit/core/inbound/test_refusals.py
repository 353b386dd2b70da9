"""The headers of refusals."""

import pytest

from aurorasoc.core.inbound.refusals import headers_of
from aurorasoc.errors import (
    HostedStopped,
    ProviderOverloaded,
    RateLimited,
    Unauthenticated,
)


def _failed(seconds: float | None) -> ProviderOverloaded:
    error = ProviderOverloaded("It is down.", provider="openai", model="m")
    error.retry_after = seconds
    return error


@pytest.mark.parametrize(("seconds", "header"), [(0.0, "1"), (0.2, "1"), (7, "7"), (59.1, "60")])
def test_a_failure_that_knows_when_to_ask_again_says_so(seconds: float, header: str) -> None:
    """In whole seconds, never too early, whoever knows it: a provider or a breaker."""
    assert headers_of(_failed(seconds)) == {"Retry-After": header}


def test_a_limit_of_ours_says_when_to_ask_again() -> None:
    """By the same header."""
    assert headers_of(RateLimited("Wait.", retry_after=3)) == {"Retry-After": "3"}


def test_an_error_that_knows_no_time_has_no_such_header() -> None:
    """Nobody is told to come back at a time that means nothing."""
    assert headers_of(_failed(None)) == headers_of(HostedStopped("It is stopped.")) == {}
    assert headers_of(Unauthenticated("No token.")) == {"WWW-Authenticate": "Bearer"}
