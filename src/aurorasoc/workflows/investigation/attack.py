"""MITRE ATT&CK technique ids, checked against the matrices that ship with this package.

ATT&CK for ICS (T0…) and for Enterprise (T1…), version 18.0; `attack.txt` holds the data
and MITRE's terms of use.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Final

ATTACK_VERSION: Final = "18.0"


@dataclass(frozen=True, slots=True)
class Technique:
    """A technique or sub-technique of MITRE ATT&CK, e.g. T1566.002, Spearphishing Link."""

    id: str
    name: str


@cache
def techniques() -> Mapping[str, str]:
    """Return the name of each technique by its id."""
    text = (files(__package__) / "attack.txt").read_text("utf-8")
    return MappingProxyType({row.id: row.name for row in _rows(text.splitlines())})


def known(ids: Iterable[str]) -> list[Technique]:
    """Return the techniques that are in a matrix, each once, in the order of `ids`."""
    names = techniques()
    return [Technique(id_, names[id_]) for id_ in dict.fromkeys(ids) if id_ in names]


def unknown(ids: Iterable[str]) -> list[str]:
    """Return the ids that are in no matrix, each once."""
    return [id_ for id_ in dict.fromkeys(ids) if id_ not in techniques()]


def _rows(lines: Iterable[str]) -> Iterator[Technique]:
    parent = Technique("", "")
    for line in lines:
        if line.startswith("#"):
            continue
        id_, _, name = line.partition(" ")
        if id_.startswith("."):
            yield Technique(f"{parent.id}{id_}", f"{parent.name}: {name}")
        else:
            parent = Technique(id_, name)
            yield parent
