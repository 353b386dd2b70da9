"""Refuse the openings, names and phrases that have to be decoded; say what to write instead.

    python tools/plain_english.py [FOLDER | FILE ...]

CONTRIBUTING.md, "Plain English", says why. Exits with 1 where it refuses something.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

OPENINGS: Final = {"Give": "Return (or Yield)", "Gives": "Return (or Yield)"}
"""First words of docstrings, and what to open with."""

NAMES: Final = {
    "found": "result, rows, match: what it holds",
    "own": "what it holds",
    "told": "details, message: what it holds",
    "wanted": "requested",
    "Begun": "ResumeState",
    "Desk": "InvestigationRunner",
    "Ears": "CommitListener",
    "Held": "LeasedInvestigation",
    "Seats": "StreamLimit",
    "Seen": "Observation",
}
"""Names of variables, parameters and classes that say nothing of what they hold."""

PHRASES: Final = {
    "it proves the path, not the judgement": "it tests the plumbing, not answer quality",
    "plays the main job by itself": "runs the whole switch unattended",
    "come along": "are included",
    "comes along": "is included",
    "asks the provider's model for a word": "sends a one-word prompt over the production path",
    "is what there is to see": "say what to check",
    "nobody in particular": "name the state",
    "stored keys hang on": "stored keys depend on",
    "many processes not all at once": "randomised so that processes don't do it together",
    "Something failed that shouldn't have": "Internal error. See the service log.",
}
"""What was written once, and what a senior engineer would say."""

_TEXT: Final = {".md"}
_CODE: Final = {".py"}


@dataclass(frozen=True, slots=True)
class Refusal:
    """A place, what stands there, and what to write instead."""

    file: Path
    line: int
    word: str
    instead: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: “{self.word}”: write {self.instead}"


def main(arguments: Sequence[str]) -> int:
    """Check files and folders; return the exit code."""
    refusals = [refusal for name in arguments for refusal in _check(Path(name))]
    for refusal in refusals:
        sys.stdout.write(f"{refusal}\n")
    return 1 if refusals else 0


def _check(place: Path) -> Iterator[Refusal]:
    files = sorted(place.rglob("*")) if place.is_dir() else [place]
    for file in files:
        if file.suffix not in _TEXT | _CODE or file.resolve() == Path(__file__).resolve():
            continue
        text = file.read_text("utf-8")
        yield from _phrases(file, text)
        if file.suffix in _CODE:
            yield from _words(file, ast.parse(text))


def _phrases(file: Path, text: str) -> Iterator[Refusal]:
    for phrase, instead in PHRASES.items():
        pattern = re.escape(phrase).replace(r"\ ", r"\s+")  # a line may end within it
        for match in re.finditer(pattern, text):
            yield Refusal(file, text.count("\n", 0, match.start()) + 1, phrase, instead)


def _words(file: Path, tree: ast.Module) -> Iterator[Refusal]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Module):
            opening = (ast.get_docstring(node) or "").split(" ", 1)[0]
            if opening in OPENINGS:
                line = getattr(node, "lineno", 1)
                yield Refusal(file, line, opening, OPENINGS[opening])
        name = _name(node)
        if name in NAMES:
            yield Refusal(file, getattr(node, "lineno", 1), name, NAMES[name])


def _name(node: ast.AST) -> str:
    """Return the name that a node introduces."""
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        return node.id
    if isinstance(node, ast.arg):
        return node.arg
    return node.name if isinstance(node, ast.ClassDef) else ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
