"""Whether a connection answers, from what several processes saw."""

import json
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aurorasoc.core.clock import iso
from aurorasoc.llm.models.health import (
    MOST,
    UNKNOWN,
    HealthBook,
    Standing,
    Subject,
    health_of,
    merged,
)
from tests.examples import settings, snapshot

SUBJECT: Final = Subject("vllm", "http://localhost:8000/v1", "granite-soc-specialist", "")
TIMES: Final = st.integers(min_value=0, max_value=50)
CODES: Final = st.sampled_from([None, "unreachable", "auth_failed"])


def test_a_connection_that_was_never_called_is_unknown(tmp_path: Path) -> None:
    """Configured isn't answering."""
    config = snapshot(settings(tmp_path)).connections["vllm"]
    assert HealthBook().of(config, ["granite-soc-specialist"]) == UNKNOWN


def test_it_is_failing_since_its_first_failure(tmp_path: Path) -> None:
    """With the last one's code."""
    book, config = HealthBook(), snapshot(settings(tmp_path)).connections["vllm"]
    assert book.note(SUBJECT, None, 1)
    assert book.note(SUBJECT, "unreachable", 5)
    assert book.note(SUBJECT, "timeout", 9)
    assert not book.note(SUBJECT, "timeout", 12)
    health = book.of(config, [SUBJECT.model])
    assert (health.state, health.since, health.code) == ("failing", iso(5), "timeout")


@pytest.mark.parametrize(
    "other",
    [
        SUBJECT._replace(base_url="http://localhost:8001/v1"),
        SUBJECT._replace(model="another"),
        SUBJECT._replace(key_tag="another"),
        SUBJECT._replace(connection="vllm-lab"),
    ],
)
def test_another_address_model_or_key_starts_anew(tmp_path: Path, other: Subject) -> None:
    """What was seen with the old one says nothing."""
    book, config = HealthBook(), snapshot(settings(tmp_path)).connections["vllm"]
    book.note(other, "auth_failed", 5)
    assert book.of(config, [SUBJECT.model]) == UNKNOWN


def test_the_last_call_of_all_processes_decides(tmp_path: Path) -> None:
    """Another process reached it after this one failed."""
    book, config = HealthBook(), snapshot(settings(tmp_path)).connections["vllm"]
    other = HealthBook()
    book.note(SUBJECT, "unreachable", 5)
    other.note(SUBJECT, None, 7)
    book.hear([other.report() or ""])
    assert book.of(config, [SUBJECT.model]).state == "ok"


def test_a_models_own_failure_outlives_another_models_success() -> None:
    """An orchestrator that doesn't exist isn't mended by the specialist."""
    missing, answers = Standing("model_not_found", 1, 2), Standing(None, 5, 6)
    assert health_of([missing, answers]).code == "model_not_found"
    assert health_of([Standing("unreachable", 1, 2), answers]).state == "ok"


UNREADABLE: Final = {
    "nothing": "",
    "words": "junk",
    "an object": "{}",
    "no rows": "[1]",
    "a short row": '[["d", null, 1]]',
    "before the epoch": '[["d", null, -1, 1]]',
    "too deep": "[" * 9_999,
    "too many": json.dumps([["d", None, 1, 1]] * (MOST + 1)),
    "too long": json.dumps([["d" * 17, None, 1, 1]]),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_a_report_that_no_process_of_ours_wrote_is_skipped(name: str) -> None:
    """The database's running role may write anything."""
    book = HealthBook()
    book.note(SUBJECT, None, 1)
    before = book.report()
    book.hear([UNREADABLE[name]])
    assert book.report() == before


@given(st.lists(st.tuples(CODES, TIMES), min_size=1))
def test_it_stands_as_the_last_call_ended(calls: list[tuple[str | None, int]]) -> None:
    """Since the first of those that ended so in a row."""
    ordered = sorted(calls, key=lambda call: call[1])
    standing = Standing(ordered[0][0], ordered[0][1], ordered[0][1])
    for code, at in ordered[1:]:
        standing = standing.then(code, at)
    assert (standing.code, standing.seen_us) == ordered[-1]
    run = [at for code, at in ordered if (code is None) != (standing.code is None)]
    assert standing.since_us >= max(run, default=0)


@given(st.lists(st.builds(Standing, CODES, TIMES, TIMES), max_size=6))
def test_what_processes_know_is_merged_whatever_their_order(known: list[Standing]) -> None:
    """None is lost, and the newest decides."""
    result, mirrored = merged(known), merged(reversed(known))
    assert (result is None) == (not known)
    if result is not None and mirrored is not None:
        assert result.seen_us == mirrored.seen_us == max(one.seen_us for one in known)


def test_memory_is_bounded() -> None:
    """The oldest is forgotten."""
    book = HealthBook()
    for number in range(MOST + 10):
        book.note(SUBJECT._replace(model=str(number)), None, number)
    assert len(json.loads(book.report() or "")) == MOST
