"""JSON in its one form."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from aurorasoc.core.canonical import canonical

FIELDS = st.dictionaries(st.text(), st.integers() | st.text() | st.none(), max_size=6)


@given(FIELDS)
def test_form_does_not_depend_on_the_order_of_fields(fields: dict[str, Any]) -> None:
    """Two writers of the same fields write the same bytes."""
    backwards = dict(reversed(list(fields.items())))
    assert canonical(fields) == canonical(backwards)


@given(FIELDS)
def test_form_reads_back_to_the_fields(fields: dict[str, Any]) -> None:
    """Nothing is lost."""
    assert json.loads(canonical(fields)) == fields


@given(FIELDS)
def test_form_is_ascii(fields: dict[str, Any]) -> None:
    """What is hashed is the same in every encoding."""
    assert canonical(fields).isascii()


def test_form_has_no_blanks() -> None:
    """Sorted keys, no spaces."""
    assert canonical({"b": [1, 2], "a": {"d": 1, "c": "é"}}) == (
        '{"a":{"c":"\\u00e9","d":1},"b":[1,2]}'
    )
