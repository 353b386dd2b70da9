"""How often things are measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Counts:
    """The size of a run.

    Attributes:
        starts: How often each server is started.
        rounds: How many ratios are taken; the report gives their median, lowest and highest.
        calls: Model calls of each side in one round.
        fresh: `from_name` calls in one round; a pool's look-ups are a hundred times as many.
        logs: Entries in the audit logs that are appended to, the smallest first.
        appends: Entries written to each of those logs in one round.
        links: Entries in the log that is verified.
        writers: Processes that write at once.
        mutations: Changes that each of them makes.
        listeners: How many hear of a change, in one process.
        fleet: Processes on PostgreSQL that adopt a change.
        neighbours: Processes on one SQLite file that do.
        switches: Changes in one round that they hear of.
        stall: Seconds that Vault stalls.
    """

    starts: int
    rounds: int
    calls: int
    fresh: int
    logs: tuple[int, ...]
    appends: int
    links: int
    writers: tuple[int, ...]
    mutations: int
    listeners: tuple[int, ...]
    fleet: int
    neighbours: int
    switches: int
    stall: float


FULL: Final = Counts(
    starts=11,
    rounds=9,
    calls=100,
    fresh=1_000,
    logs=(1_000, 10_000, 100_000, 1_000_000),
    appends=60,
    links=200_000,
    writers=(1, 2, 8),
    mutations=100,
    listeners=(1, 10, 100, 500),
    fleet=20,
    neighbours=8,
    switches=12,
    stall=30.0,
)
QUICK: Final = Counts(
    starts=3,
    rounds=3,
    calls=30,
    fresh=200,
    logs=(1_000, 100_000),
    appends=20,
    links=30_000,
    writers=(1, 8),
    mutations=20,
    listeners=(1, 100),
    fleet=4,
    neighbours=4,
    switches=10,
    stall=10.0,
)
SMOKE: Final = Counts(
    starts=1,
    rounds=1,
    calls=2,
    fresh=5,
    logs=(5, 10),
    appends=2,
    links=50,
    writers=(2,),
    mutations=2,
    listeners=(2,),
    fleet=1,
    neighbours=1,
    switches=2,
    stall=0.5,
)
"""Shows that everything runs, and measures nothing."""
