"""Breakers in the health: what one process shows of its own, and of the others'."""

import json
from pathlib import Path
from typing import Annotated, Final

import pytest
from pydantic import Field, TypeAdapter

from aurorasoc.config.snapshot import ConnectionConfig
from aurorasoc.core.clock import iso
from aurorasoc.errors import ProviderUnreachable
from aurorasoc.granite.backend_resolution import model_reference
from aurorasoc.llm.models.breakers import Breakers, Way
from aurorasoc.llm.models.health import MOST, Health, Subject, open_in
from aurorasoc.llm.models.traffic import TrafficLedger
from aurorasoc.llm.wire.breaker import FAILURES, Passage
from tests.examples import Stopwatch, settings, snapshot

MODEL: Final = "granite-soc-specialist"
READ_BEFORE: Final = TypeAdapter(
    Annotated[
        list[
            tuple[
                Annotated[str, Field(max_length=16)],
                Annotated[str, Field(max_length=64)] | None,
                Annotated[int, Field(ge=0, lt=2**62)],
                Annotated[int, Field(ge=0, lt=2**62)],
            ]
        ],
        Field(max_length=256),
    ]
)
"""How a version without breakers reads a report."""


class Process:
    """One process that calls vLLM."""

    def __init__(self, folder: Path, stopwatch: Stopwatch) -> None:
        taken = snapshot(settings(folder))
        breakers = Breakers(stopwatch, stopwatch.now_us)
        self.ledger = TrafficLedger(stopwatch.now_us, breakers)
        self.reference = model_reference(taken, "vllm", "specialist")
        self.config: ConnectionConfig = taken.connections["vllm"]

    def fail(self, times: int = FAILURES) -> None:
        """Fail as often."""
        breaker = self.ledger.breakers.of(self.reference)
        failure = ProviderUnreachable("It failed.", provider="vllm", model="m")
        for _ in range(times):
            with Passage(breaker, self.reference) as passage:
                breaker.ask(passage)
                breaker.failed(passage, failure)
                self.ledger.failed(self.reference, failure)

    def answer(self) -> None:
        """Answer a call."""
        self.ledger.succeeded(self.reference)
        self.ledger.breakers.of(self.reference).answered()

    def report(self) -> str:
        """Return what it reports."""
        return self.ledger.health.report() or "[]"

    def health(self) -> Health:
        """Return what it shows."""
        return self.ledger.health.of(self.config, [MODEL])


@pytest.fixture
def stopwatch() -> Stopwatch:
    """Return the clock of all processes."""
    return Stopwatch()


@pytest.fixture
def processes(tmp_path: Path, stopwatch: Stopwatch) -> list[Process]:
    """Return eight processes."""
    return [Process(tmp_path, stopwatch) for _ in range(8)]


def hear(processes: list[Process]) -> None:
    """Let each process hear of the others."""
    reports = [one.report() for one in processes]
    for number, one in enumerate(processes):
        others = reports[:number] + reports[number + 1 :]
        one.ledger.health.hear(others, len(processes))


def test_open_breaker_shows_with_since_when_and_why(
    processes: list[Process], stopwatch: Stopwatch
) -> None:
    """Failing until then; probing once its time is over; answering again after an answer."""
    one = processes[0]
    one.fail(FAILURES - 1)
    assert one.health().state == "failing"
    stopwatch.seconds += 5
    one.fail(1)
    opened_at = iso(stopwatch.now_us())
    assert one.health() == Health("open", opened_at, "unreachable", 1, 1)
    stopwatch.seconds += 10
    assert one.health() == Health("probing", opened_at, "unreachable", 1, 1)
    one.answer()
    assert (one.health().state, one.health().open_in) == ("ok", 0)


def test_every_process_says_in_how_many_it_is_open(
    processes: list[Process], stopwatch: Stopwatch
) -> None:
    """Since the first of them, whoever is asked."""
    for one in processes[:3]:
        one.fail()
        stopwatch.seconds += 1
    hear(processes)
    shown = [one.health() for one in processes]
    assert {(one.state, one.code, one.open_in, one.processes) for one in shown} == {
        ("open", "unreachable", 3, 8)
    }
    assert {one.since for one in shown} == {iso(stopwatch.now_us() - 3_000_000)}


def test_connection_that_answers_others_answers_though_some_do_not_ask_it(
    processes: list[Process], stopwatch: Stopwatch
) -> None:
    """The last call of all decides; the number says the rest."""
    processes[0].fail()
    stopwatch.seconds += 1
    processes[1].answer()
    hear(processes)
    assert {(one.health().state, one.health().open_in) for one in processes} == {("ok", 1)}


def test_fleet_names_the_connections_that_a_process_does_not_ask(processes: list[Process]) -> None:
    """By its report alone."""
    one = processes[0]
    connections = {"vllm": one.config}
    assert open_in(one.report(), connections) == ()
    one.fail()
    assert open_in(one.report(), connections) == ("vllm",)
    assert open_in('junk "open:', connections) == ()


def test_earlier_version_reads_the_report_and_shows_what_it_did(processes: list[Process]) -> None:
    """While a fleet is updated, both hear each other."""
    one = processes[0]
    one.fail()
    rows = READ_BEFORE.validate_json(one.report())
    digest = Subject.of(one.reference).digest
    assert [row[1] for row in rows if row[0] == digest] == ["unreachable"]


def test_report_keeps_its_bound(processes: list[Process]) -> None:
    """What is open comes first; the oldest of the rest is left out."""
    one = processes[0]
    one.fail()
    for number in range(MOST + 10):
        one.ledger.health.note(Subject("vllm", None, str(number), ""), None, number)
    rows = json.loads(one.report())
    assert len(rows) == MOST
    assert [row[1] for row in rows if row[0] == Way.to(one.config).digest] == ["open:unreachable"]


def test_command_leaves_no_breaker_behind(processes: list[Process]) -> None:
    """It asks nobody any more."""
    one = processes[0]
    one.fail()
    left = one.ledger.health.report(openings=False) or ""
    assert "open:" not in left
    assert "unreachable" in left


def test_opening_and_closing_are_reported_at_once(processes: list[Process]) -> None:
    """Not with the next heartbeat."""
    one, reported = processes[0], list[str]()
    one.fail(FAILURES - 1)
    one.ledger.on_health = lambda: reported.append(one.health().state)
    one.fail(1)
    one.ledger.breakers.answered(one.reference)
    assert reported == ["open", "failing"]
