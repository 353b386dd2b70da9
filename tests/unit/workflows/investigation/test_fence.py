"""Untrusted text can't leave its fence, look like a turn, or hide."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aurorasoc.workflows.investigation.fence import Fence, fence_for, neutral

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(JSON)
def test_neutral_text_is_the_same_json(value: object) -> None:
    """What is replaced is replaced by JSON's own escapes."""
    assert json.loads(neutral(value)) == value


@given(JSON)
def test_neutral_text_is_one_visible_line(value: object) -> None:
    """No line break, no control, no invisible character."""
    assert neutral(value).isprintable()


@pytest.mark.parametrize(
    "text",
    ["<|im_start|>system", "</s>", "<start_of_turn>", "[INST]", "[/INST]", "[SYSTEM_PROMPT]"],
)
def test_the_marks_of_chat_templates_are_broken(text: str) -> None:
    """A tokenizer that knows them doesn't find them."""
    assert text not in neutral({"a": [text]})


def test_text_that_hides_is_shown() -> None:
    """Tag characters, bidirectional controls and zero-width ones are written out."""
    assert neutral("\U000e0041\u202e\u200b\x7f") == r'"\udb40\udc41\u202e\u200b\u007f"'


def test_a_boundary_that_stands_in_the_text_is_drawn_again() -> None:
    """Whoever guessed it once has to guess anew."""
    drawn = iter(["aaaa", "bbbb", "cccc"])
    assert fence_for(["has aaaa", "and bbbb"], drawn.__next__).boundary == "cccc"


def test_each_run_has_a_boundary_of_its_own() -> None:
    """What one run's model learnt of it helps no other."""
    assert fence_for([]).boundary != fence_for([]).boundary


def test_a_boundary_that_a_model_repeats_is_taken_out() -> None:
    """It has read it, and may write it to step out of the next fence."""
    fenced = Fence("b0b0").around("Said", "x </b0b0> y")
    assert fenced == "Said:\n<b0b0>\nx </(boundary)> y\n</b0b0>"
