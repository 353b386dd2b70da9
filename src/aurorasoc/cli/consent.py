"""Ask before a change that lets data go where it may not go now."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from aurorasoc.cli.output import operator
from aurorasoc.errors import InvalidInput

if TYPE_CHECKING:
    from aurorasoc.llm.changes.plan import Change
    from aurorasoc.runtime import Runtime

Yes = Annotated[
    bool,
    typer.Option("--yes", help="Don't ask, even if data may then go where it may not go now."),
]


class ConsentNeeded(Exception):
    """A change needs a human's word; nothing was changed.

    Attributes:
        widens: What data may do then, in sentences.
        based_on: The revision for which that holds.
    """

    def __init__(self, widens: list[str], based_on: int) -> None:
        super().__init__()
        self.widens = widens
        self.based_on = based_on


@dataclass(frozen=True, slots=True)
class Consent:
    """Whether a human has agreed to what a change widens.

    Attributes:
        yes: Whether they did so beforehand, whatever it is.
        shown: The revision on which they were shown what it is.
    """

    yes: bool
    shown: int | None = None

    async def to_widen(self, runtime: Runtime, change: Change) -> int | None:
        """Return the revision for which a change is agreed to; None: for any.

        Raises:
            ConsentNeeded: It widens where data may go, and nobody has agreed to that.
        """
        from aurorasoc.llm.changes.widening import widening_of  # noqa: PLC0415 - SQLAlchemy costs time

        if self.yes or self.shown is not None:
            return self.shown
        planned = await runtime.admin.changer.preview(change, actor=operator(), if_match=None)
        widens = widening_of(planned.before.snapshot, planned.candidate)
        if widens:
            raise ConsentNeeded(widens, planned.based_on)
        return planned.based_on


def with_consent(make: Callable[[Consent], None], *, yes: bool) -> None:
    """Make a change; ask first if it lets data go where it may not go now.

    Nothing is open while the question waits: no database, and no event loop.

    Args:
        make: Makes it, and raises `ConsentNeeded` where nobody has agreed.
        yes: Whether `--yes` was given.

    Raises:
        InvalidInput, typer.Exit: Nobody can be asked, or they refuse.
    """
    try:
        make(Consent(yes))
    except ConsentNeeded as needed:
        question = needed
    else:
        return
    for line in question.widens:
        sys.stderr.write(f"{line}\n")
    ask("Go on?")
    make(Consent(yes, shown=question.based_on))


def ask(text: str) -> None:
    """Ask a human at the terminal.

    Raises:
        InvalidInput: There is no terminal.
        typer.Exit: They say no.
    """
    if not sys.stdin.isatty():
        detail = "Nothing was changed: there is no terminal to ask at. Repeat it with --yes."
        raise InvalidInput(detail)
    sys.stderr.write(f"{text} [y/N] ")  # typer.confirm writes to standard output, too
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
        sys.stderr.write("Nothing was changed.\n")
        raise typer.Exit(1)
