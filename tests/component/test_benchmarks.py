"""Benchmarks run, and report what they measured; how quick anything is, is not tested here."""

import json
import math
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import pytest

from benchmarks.__main__ import NAMES
from benchmarks.rig.rows import Bar, Row, row, shown
from tests.world.canaries import SOAK
from tests.world.processes import bare_env

REPOSITORY: Final = Path(__file__).parents[2]
_NEED_VAULT: Final = ("stall",)
_MEASURED: Final = [name for name in NAMES if name not in _NEED_VAULT] if SOAK else ["verify"]


def _run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run in a process of its own: the model libraries' imports must not reach the tests."""
    return subprocess.run(
        [sys.executable, "-m", "benchmarks", *arguments],
        env=bare_env(**variables),
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=580,
        check=False,
    )


def _row(ours: Sequence[float], theirs: Sequence[float], bar: Bar | None = None) -> Row:
    return row("ours", ours, theirs, peer="peer", bar=bar)


@pytest.mark.soak
@pytest.mark.parametrize("name", _MEASURED)
def test_benchmark_measures_both_sides(name: str) -> None:
    """With counts as small as they get: one shows that the rig stands, `make soak` runs each."""
    _require_figures(name)


@pytest.mark.soak
@pytest.mark.skipif(not SOAK, reason="runs with AURORASOC_SOAK=1")
@pytest.mark.parametrize("name", _NEED_VAULT)
def test_benchmark_on_a_real_vault_measures_both_sides(name: str, vault_program: Path) -> None:
    """Left out, as all tests are that need one, where there is none."""
    _require_figures(name, AURORASOC_TEST_VAULT_BIN=str(vault_program))


def _require_figures(name: str, **variables: str) -> None:
    done = _run(name, "--smoke", "--json", **variables)
    assert done.returncode == 0, done.stderr
    rows: list[dict[str, Any]] = json.loads(done.stdout)
    assert rows
    for figures in rows:
        assert figures["name"].startswith(f"{name}: ")
        assert figures["peer"]
        assert (figures["met"] is None) == (figures["bar"] is None)
        for side in ("ours", "theirs", "ratio"):
            spread = figures[side]
            assert 0 < spread["low"] <= spread["median"] <= spread["high"] < math.inf


def test_unknown_name_is_refused_with_the_known_ones() -> None:
    """As wrong usage."""
    done = _run("nothing")
    assert done.returncode == 2
    assert all(name in done.stderr for name in NAMES)


def test_ratio_is_taken_pair_by_pair() -> None:
    """A machine that was slow in one round was slow for both sides."""
    result = _row([2.0, 20.0, 3.0], [1.0, 10.0, 1.0])
    assert (result.ratio.median, result.ratio.low, result.ratio.high) == (2.0, 2.0, 3.0)


@pytest.mark.parametrize(
    ("bar", "met"),
    [
        (None, None),
        (Bar(1.5), True),
        (Bar(1.49), False),
        (Bar(1.0, on="difference"), True),
        (Bar(0.9, on="difference"), False),
        (Bar(3.0, on="ours"), True),
        (Bar(3.0, on="ours", at_least=True), True),
        (Bar(3.1, on="ours", at_least=True), False),
    ],
)
def test_bar_is_held_against_the_median(bar: Bar | None, met: bool | None) -> None:  # noqa: FBT001 - a table's column
    """Of the ratio, of the difference, or of our own figures."""
    assert _row([3.0, 30.0, 3.0], [2.0, 2.0, 2.0], bar).met is met


@pytest.mark.parametrize(
    ("figure", "unit", "text"),
    [
        (0.000_000_101, "s", "101 ns"),
        (0.000_05, "s", "50.0 µs"),
        (0.0116, "s", "11.6 ms"),
        (-0.002, "s", "-2.00 ms"),
        (2.5, "s", "2.50 s"),
        (94_371_840.0, "B", "90.0 MiB"),
        (218_518.4, "entries/s", "218,518 entries/s"),
    ],
)
def test_figure_is_shown_in_a_unit_that_suits_it(figure: float, unit: str, text: str) -> None:
    """Three digits that count."""
    assert shown(figure, unit) == text
