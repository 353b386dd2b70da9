"""A connection's options, where a call says nothing else."""

from dataclasses import replace
from typing import Any

import pytest

from aurorasoc.config.call_options import CallOptions
from aurorasoc.llm.wire.asking.standing import StandingOptions
from tests.examples import reference


def _standing(**options: Any) -> StandingOptions:
    return StandingOptions(replace(reference(), options=CallOptions(**options)))


def test_nothing_is_asked_that_no_connection_sets() -> None:
    """Neither is anything taken away."""
    assert _standing().under({"seed": 1}) == {"seed": 1}


def test_what_a_call_says_wins() -> None:
    """Each option by itself."""
    standing = _standing(temperature=0.5, max_output_tokens=100, reasoning_effort="low")
    asked = standing.under({"temperature": 0, "max_tokens": 200})
    assert asked == {"temperature": 0, "max_tokens": 200, "reasoning_effort": "low"}


@pytest.mark.parametrize(
    ("bound", "most", "expected"),
    [(None, None, None), (None, 9, 9), (5, None, 5), (5, 9, 5), (9, 5, 5)],
)
def test_a_second_try_stays_below_the_connections_bound(
    bound: int | None, most: int | None, expected: int | None
) -> None:
    """A call that ended in thoughts is made again with a larger limit, but not with more."""
    assert _standing(max_output_tokens=bound).most(most) == expected
