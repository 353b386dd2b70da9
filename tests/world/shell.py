"""A shell to type commands into, without the cost of a process."""

import io
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import pytest

from aurorasoc.cli import main


@dataclass(frozen=True)
class Outcome:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:  # noqa: ANN401 - whatever JSON holds
        """Standard output, parsed."""
        return json.loads(self.out)

    @property
    def error(self) -> str:
        """The one line of an error."""
        (line,) = self.err.splitlines()
        return line


class _Terminal(io.StringIO):
    """Somebody who answers questions."""

    def isatty(self) -> bool:
        """Return that somebody is there."""
        return True


class Shell:
    """Types commands, in an environment of its own."""

    def __init__(self, patch: pytest.MonkeyPatch, capture: pytest.CaptureFixture[str]) -> None:
        """Borrow the test's environment and output."""
        self.patch = patch
        self._capture = capture

    def within(self, variables: Mapping[str, str]) -> Self:
        """Set these variables for the commands that follow."""
        for name, value in variables.items():
            self.patch.setenv(name, value)
        return self

    def __call__(
        self, *arguments: str, stdin: str | bytes = "", typed: str | None = None
    ) -> Outcome:
        """Run `aurorasoc …` to its end.

        Args:
            arguments: The command and its arguments.
            stdin: What is piped into it.
            typed: What somebody types at a terminal instead.
        """
        self.patch.setattr(sys, "argv", ["aurorasoc", *arguments])
        piped = stdin.encode() if isinstance(stdin, str) else stdin
        pipe = io.TextIOWrapper(io.BytesIO(piped), encoding="utf-8")
        self.patch.setattr(sys, "stdin", pipe if typed is None else _Terminal(typed))
        self._capture.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        printed = self._capture.readouterr()
        code = ended.value.code
        return Outcome(code if isinstance(code, int) else 0, printed.out, printed.err)
