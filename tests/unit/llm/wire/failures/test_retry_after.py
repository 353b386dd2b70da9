"""When a provider asks to be called again."""

from datetime import UTC, datetime

import pytest

from aurorasoc.errors import ModelCallError
from aurorasoc.llm.wire.failures.retry_after import MAX_SECONDS, retry_after
from aurorasoc.llm.wire.failures.translate import failure_of_answer
from tests.examples import reference

NOW = datetime(2026, 11, 27, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": " 1.5 "}, 1.5),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after": "-3"}, 0.0),
        ({"retry-after": "Fri, 27 Nov 2026 12:01:30 GMT"}, 90.0),
        ({"retry-after": "Fri, 27 Nov 2026 13:01:30 +0100"}, 90.0),
        ({"retry-after": "Friday, 27-Nov-26 12:01:30 GMT"}, 90.0),
        ({"retry-after": "Fri, 27 Nov 2026 11:00:00 GMT"}, 0.0),
        ({"retry-after": "9" * 400}, None),
        ({"retry-after": "1e9"}, MAX_SECONDS),
        ({"retry-after": "Sat, 01 Jan 9999 00:00:00 GMT"}, MAX_SECONDS),
        ({"retry-after": "Mon, 01 Jan 99999999999 00:00:00 GMT"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": ""}, None),
        ({"retry-after-ms": "250", "retry-after": "1"}, 0.25),
        ({"retry-after-ms": "soon", "retry-after": "1"}, 1.0),
    ],
)
def test_wait_is_read_in_seconds(headers: dict[str, str], seconds: float | None) -> None:
    """As a number, a date or milliseconds; whatever else it says is no wait."""
    assert retry_after(headers, NOW) == seconds


def asked_by_gemini(delay: str) -> ModelCallError:
    """Return what its refusal becomes."""
    info = f'{{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "{delay}"}}'
    body = f'[{{"error": {{"code": 429, "message": "Quota", "details": [{info}]}}}}]'
    return failure_of_answer(429, body, reference())


def test_gemini_asks_in_its_answer() -> None:
    """It sends no header."""
    error = asked_by_gemini("34.074824224s")
    assert error.retry_after == 34.074824224
    assert "Try again in 34.0748 s." in error.detail


def test_a_wait_in_an_answer_is_bounded_as_a_headers_is() -> None:
    """Callers are told of it in turn."""
    assert asked_by_gemini("999999999s").retry_after == MAX_SECONDS


def test_wait_is_in_the_detail() -> None:
    """Whoever reads it knows when to try again."""
    error = failure_of_answer(503, "", reference(), headers={"retry-after": "120"})
    assert error.detail.endswith("Try again in 120 s.")
