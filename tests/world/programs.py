"""Programs that not every machine has: tests that need one are left out there, but not in CI."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

IN_CI: Final = "CI"


@dataclass(frozen=True, slots=True)
class Program:
    """A program that tests need, and how to have it.

    Attributes:
        tests: What they are called where they were left out.
        missing: Why they were, and what to run.
        fixture: A test that uses it needs the program.
        find: Finds it; None when there is none. Raises FileNotFoundError when the environment
            names something else.
    """

    tests: str
    missing: str
    fixture: str
    find: Callable[[], Path | None]

    def required(self) -> Path:
        """Find it for a test that can't be left out."""
        path = self.find()
        if path is None:
            pytest.fail(self.missing)
        return path

    def leave_out(self, items: list[pytest.Item]) -> None:
        """Skip the tests that need it where there is none; CI has them all.

        A mark, and not a skip in the fixture: pytest then gives the reason once a file.
        """
        needing = [item for item in items if self.fixture in getattr(item, "fixturenames", ())]
        try:
            missing = bool(needing) and self.find() is None
        except FileNotFoundError as wrong:
            raise pytest.UsageError(*wrong.args) from None
        if missing and not os.environ.get(IN_CI):
            for item in needing:
                item.add_marker(pytest.mark.skip(self.missing))
