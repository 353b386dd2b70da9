"""The JSON objects in a text: wherever they stand, and in time that grows as the text does."""

import time

import pytest

from aurorasoc.core.json_in_text import objects_in


@pytest.mark.parametrize(
    ("text", "objects"),
    [
        ('{"a": 1}', ['{"a": 1}']),
        ('I think {step by step}: {"a": {"b": 1}} and {so on}', ['{"a": {"b": 1}}', '{"b": 1}']),
        ('```json\n{"a": "}{"}\n```', ['{"a": "}{"}']),
        ('{{"a": 1}}', ['{"a": 1}']),
        ('{"a": 1', []),
        ("no braces", []),
        ('{"a": 1} {"a": 2}', ['{"a": 1}', '{"a": 2}']),
    ],
)
def test_objects_are_found_among_words_and_braces(text: str, objects: list[str]) -> None:
    """Outer ones first; what isn't JSON is passed over."""
    assert list(objects_in(text)) == objects


@pytest.mark.parametrize("piece", ["{", '{"a":', '{"', '{"a": 1, ', "{}", '{"a":{"b":"'])
def test_a_text_made_to_take_long_takes_linear_time(piece: str) -> None:
    """Whatever a model writes, the loop goes on; squared, this would take minutes."""
    began = time.process_time()
    assert len(list(objects_in(piece * 100_000))) <= 100_000
    assert time.process_time() - began < 10
