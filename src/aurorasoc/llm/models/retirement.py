"""Models that their vendor stops serving: a warning ahead of the day, a problem from it on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final

from aurorasoc.config.snapshot import Problem

WARNING_DAYS: Final = 60
"""How long before its retirement a model is warned of."""

_ADVICE: Final = "Choose another model."


@dataclass(frozen=True, slots=True)
class Retirements:
    """What is to be said of a provider's models.

    Attributes:
        problems: One for each that has retired (`model_retired`). No call is stopped: the vendor
            may serve it for longer.
        warnings: One for each that retires soon (`model_retires`).
    """

    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()


def retirements(days: Mapping[str, date], today: date) -> Retirements:
    """Say which models have retired, and which will soon.

    Args:
        days: When models retire, by name.
        today: The day, UTC.
    """
    problems, warnings = [], []
    for model, day in days.items():
        left = (day - today).days
        if left <= 0:
            problems.append(Problem("model_retired", f"{model} retired on {day}. {_ADVICE}"))
        elif left <= WARNING_DAYS:
            warnings.append(Problem("model_retires", f"{model} retires on {day}. {_ADVICE}"))
    return Retirements(tuple(problems), tuple(warnings))
