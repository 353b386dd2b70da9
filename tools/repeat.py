"""Run the tests again and again, each time in another order, and say which of them differed.

    python tools/repeat.py N [--busy PROCESSES] [pytest's own arguments ...]

Each run has a seed of its own, which orders the tests. `--busy` keeps as many processes spinning
beside the last three runs in ten. Exits with 1 where a run was red or a test differed.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final
from xml.etree import ElementTree as ET

BUSY_SHARE: Final = 0.3
_SPIN: Final = "while True: pass"


@dataclass(frozen=True, slots=True)
class Run:
    """One run of the tests.

    Attributes:
        seed: Orders the tests: `pytest --randomly-seed=SEED` repeats it.
        busy: How many processes kept the machine busy meanwhile.
        seconds: How long it took.
        printed: What pytest printed.
        outcomes: `passed`, `failed` or `skipped`, by test.
    """

    seed: int
    busy: int
    green: bool
    seconds: float
    printed: str
    outcomes: Mapping[str, str]

    def row(self, number: int) -> str:
        """Return its line of the table in docs/reliability.md."""
        counts = Counter(self.outcomes.values())
        shown = ", ".join(f"{counts[kind]} {kind}" for kind in ("passed", "failed", "skipped"))
        colour = "green" if self.green else "red"
        return (
            f"| {number} | {self.seed} | {self.busy} | {self.seconds:.0f} s | {colour} | {shown} |"
        )


def main() -> int:
    """Repeat, and report; return the exit code."""
    parser = argparse.ArgumentParser(description="Run the tests N times, in another order each.")
    parser.add_argument("times", type=int)
    parser.add_argument("--busy", type=int, default=0)
    options, passed_on = parser.parse_known_args()
    runs = []
    for number in range(1, options.times + 1):
        last_ones = number > options.times * (1 - BUSY_SHARE)
        runs.append(_run(options.busy if last_ones else 0, passed_on))
        _say(
            runs[-1].row(number) if runs[-1].green else f"{runs[-1].printed}{runs[-1].row(number)}"
        )
    return _report(runs)


def _report(runs: Sequence[Run]) -> int:
    seen: dict[str, set[str]] = defaultdict(set)
    for run in runs:
        for test, outcome in run.outcomes.items():
            seen[test].add(outcome)
    differed = sorted(test for test, outcomes in seen.items() if len(outcomes) > 1)
    green = sum(run.green for run in runs)
    _say(f"{green} of {len(runs)} runs were green; {len(differed)} tests differed.")
    for test in differed:
        _say(f"  {test}: {', '.join(sorted(seen[test]))}")
    return 0 if green == len(runs) and not differed else 1


def _run(busy: int, passed_on: Sequence[str]) -> Run:
    seed = random.SystemRandom().randrange(2**32)
    with TemporaryDirectory(prefix="aurorasoc-repeat-") as folder, _kept_busy(busy):
        report = Path(folder) / "report.xml"
        options = ["-q", f"--randomly-seed={seed}", f"--junitxml={report}", *passed_on]
        began = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-m", "pytest", *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        seconds = time.monotonic() - began
        return Run(seed, busy, done.returncode == 0, seconds, done.stdout, _outcomes(report))


@contextmanager
def _kept_busy(processes: int) -> Iterator[None]:
    spinning = [subprocess.Popen([sys.executable, "-c", _SPIN]) for _ in range(processes)]
    try:
        yield
    finally:
        for process in spinning:
            process.kill()
            process.wait()


def _outcomes(report: Path) -> dict[str, str]:
    if not report.exists():
        return {}
    cases = ET.parse(report).getroot().iter("testcase")  # noqa: S314 - pytest has just written it
    return {f"{case.get('classname')}::{case.get('name')}": _outcome(case) for case in cases}


def _outcome(case: ET.Element) -> str:
    tags = {child.tag for child in case}
    if tags & {"failure", "error"}:
        return "failed"
    return "skipped" if "skipped" in tags else "passed"


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
