"""A plugin of pytest that counts which lines and branches of ours the tests' processes take.

`-p tests.world.counted` loads it before anything of ours is imported. SlipCover writes its counters
into the code, which costs a tenth of a run's time; a trace function costs one and a half runs more
(docs/decisions/055). Processes that tests start aren't counted.
"""

import json
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import pytest
import slipcover
from slipcover.importer import SlipcoverLoader

PACKAGE: Final = "aurorasoc"
SOURCE: Final = Path(__file__).parents[2] / "src" / PACKAGE
LEAST: Final = 90.0
"""Per cent of lines and branches that a whole run must take."""

LEFT_OUT: Final = (
    "if TYPE_CHECKING:",
    'if __name__ == "__main__":',
    "@overload",
    "raise NotImplementedError",
    r"assert_never\(",
    r"^\s*\.\.\.$",  # the body of a protocol's method
)
_HANDED_IN: Final = "counted"


class _Counting(MetaPathFinder):
    """Has our own modules counted as they are loaded."""

    def __init__(self, counter: slipcover.Slipcover) -> None:
        self._counter = counter

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name.partition(".")[0] != PACKAGE:
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is not None and isinstance(spec.loader, SourceFileLoader):
            spec.loader = SlipcoverLoader(self._counter, spec.loader, spec.loader.path)
        return spec


_COUNTER: Final = slipcover.Slipcover(
    branch=True,
    source=[str(SOURCE)],
    exclude_lines=[*LEFT_OUT],
    d_miss_threshold=sys.maxsize,  # taking a counter out again costs more than it does
)
sys.meta_path.insert(0, _Counting(_COUNTER))  # here, for conftest.py imports what is counted


class _Worker:
    """Hands in what one of xdist's workers counted."""

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        text = json.dumps(_COUNTER.get_coverage())
        session.config.workeroutput[_HANDED_IN] = text  # type: ignore[attr-defined]  # xdist's


class _Run:
    """Adds up what was counted, prints what is missing, and fails a run that took too little."""

    def __init__(self, *, alone: bool) -> None:
        """Begin; `alone` where this process runs the tests itself."""
        self._alone = alone
        self._sum: dict[str, Any] | None = None

    def pytest_testnodedown(self, node: Any) -> None:  # noqa: ANN401 - xdist's
        if (text := getattr(node, "workeroutput", {}).get(_HANDED_IN)) is not None:
            self._add(json.loads(text))

    @pytest.hookimpl(tryfirst=True)  # before the summary
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self._alone:
            self._add(_COUNTER.get_coverage())
        if self._percent < LEAST and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self._sum is not None:
            slipcover.print_coverage(self._sum, missing_width=60, skip_covered=True)
        fits = "" if self._percent >= LEAST else f", and must be {LEAST:g} %"
        terminalreporter.line(f"lines and branches taken: {self._percent:.1f} %{fits}")

    @property
    def _percent(self) -> float:
        return 0.0 if self._sum is None else float(self._sum["summary"]["percent_covered"])

    def _add(self, counted: dict[str, Any]) -> None:
        before = self._sum
        self._sum = counted if before is None else slipcover.merge_coverage(before, counted)


def pytest_configure(config: pytest.Config) -> None:
    """Count where tests run; add up where they are handed out."""
    worker = hasattr(config, "workerinput")
    alone = not config.getoption("numprocesses", None)
    config.pluginmanager.register(_Worker() if worker else _Run(alone=alone))
