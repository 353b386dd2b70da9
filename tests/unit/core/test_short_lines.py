"""Log lines for a person: short, redacted as JSON lines are, and harmless to the terminal."""

import io
import logging
import sys
from collections.abc import Iterator
from typing import Any, Final

import pytest

from aurorasoc.config.log_form import LogForm
from aurorasoc.core.logs import configure_logging, get_logger
from aurorasoc.core.redaction import REDACTOR
from aurorasoc.core.short_lines import MOST, ShortLines

NAME: Final = "aurorasoc.short"
SECRET: Final = "sk-short-lines-canary-77"


class Lines:
    """A logger of ours, and what it wrote."""

    def __init__(self, *, colour: bool) -> None:
        """Write to memory."""
        self._written = io.StringIO()
        self._handler = logging.StreamHandler(self._written)
        self._handler.setFormatter(ShortLines(logging.Formatter("%(message)s"), colour=colour))
        self.standard = logging.getLogger(NAME)
        self.standard.handlers[:] = [self._handler]
        self.standard.setLevel(logging.INFO)
        self.standard.propagate = False
        self.log: Any = get_logger(NAME)

    def text(self) -> str:
        """Return all that was written."""
        return self._written.getvalue()


@pytest.fixture
def lines() -> Iterator[Lines]:
    """Yield a logger without colours."""
    made = Lines(colour=False)
    yield made
    made.standard.handlers.clear()
    made.standard.propagate = True


def test_a_line_says_when_how_bad_who_and_what(lines: Lines) -> None:
    """Values follow by name; a text with blanks is quoted."""
    lines.log.warning("adopted", revision=3, pending=["a"], reason="it was late")
    clock, _, rest = lines.text().partition(" ")
    assert len(clock) == len("22:33:44")
    assert rest == 'warning short: adopted revision=3 pending=["a"] reason="it was late"\n'


def test_keys_are_redacted_as_in_json(lines: Lines) -> None:
    """In values and in what an exception says."""
    REDACTOR.learn([SECRET])
    try:
        raise ValueError(SECRET)  # noqa: TRY301 - nothing else is needed
    except ValueError:
        lines.log.exception("failed", header=f"Bearer {SECRET}")
    assert SECRET not in lines.text()
    assert "ValueError: [redacted]" in lines.text()


def test_an_exception_shows_its_frames_below(lines: Lines) -> None:
    """Where it was raised, one line each."""
    try:
        raise ValueError("no")  # noqa: EM101, TRY301 - nothing else is needed
    except ValueError:
        lines.log.exception("failed")
    first, raised, frame = lines.text().splitlines()
    assert first.endswith("error   short: failed")
    assert raised == "  ValueError: no"
    assert frame.startswith("    ")
    assert frame.endswith("in test_an_exception_shows_its_frames_below")


@pytest.mark.parametrize("foreign", ["\x1b[2J\x1b]0;title\x07", "a\nfake: line", "\u202eevil"])
def test_a_logged_text_does_not_steer_the_terminal(lines: Lines, foreign: str) -> None:
    """Escape sequences, line ends and marks that turn text around are written out."""
    lines.log.info(foreign, value=foreign)
    lines.standard.info(foreign.replace("\n", "\x1b"))
    assert all(line.isprintable() for line in lines.text().splitlines())
    assert len(lines.text().splitlines()) == 2


def test_a_long_value_is_cut(lines: Lines) -> None:
    """A line stays short."""
    lines.log.info("asked", prompt="x" * 5000)
    assert len(lines.text()) < MOST + 60


@pytest.mark.parametrize("colour", [True, False])
def test_colours_are_written_where_they_are_wanted(*, colour: bool) -> None:
    """The level stands out."""
    lines = Lines(colour=colour)
    lines.log.warning("adopted")
    assert ("\x1b[33mwarning\x1b[0m" in lines.text()) == colour
    assert ("\x1b" in lines.text()) == colour


def test_a_file_gets_no_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    """Though short lines were asked for."""
    ours, root = logging.getLogger("aurorasoc"), logging.getLogger()
    before = (ours.handlers[:], ours.level, ours.propagate, root.handlers[:], root.level)
    written = io.StringIO()
    monkeypatch.setattr(sys, "stderr", written)
    try:
        configure_logging(LogForm(short=True, colour=True))
        get_logger("aurorasoc.to_file").warning("adopted")
    finally:
        ours.handlers[:], ours.level, ours.propagate, root.handlers[:], root.level = before
    assert written.getvalue().endswith("warning to_file: adopted\n")
    assert "\x1b" not in written.getvalue()
