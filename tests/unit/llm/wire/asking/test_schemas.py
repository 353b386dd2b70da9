"""Keywords of a schema that don't reach a vendor are found by counting them on both sides."""

from typing import Any, Final

import pytest

from aurorasoc.llm.wire.asking.schemas import left_out_of

BOUNDED: Final = {"type": "array", "items": {"type": "string", "maxLength": 9}, "maxItems": 3}
LOOSE: Final = {"type": "array", "items": {"type": "string"}, "maxItems": 3}
SHARED: Final = {"$defs": {"a": BOUNDED}, "anyOf": [{"$ref": "#/$defs/a"}, {"$ref": "#/$defs/a"}]}


def _form(schema: object) -> dict[str, Any]:
    return {"response_format": {"type": "json_schema", "json_schema": {"schema": schema}}}


def _tools(*schemas: object) -> dict[str, Any]:
    functions = ({"name": "f", "parameters": schema} for schema in schemas)
    return {"tools": [{"type": "function", "function": function} for function in functions]}


@pytest.mark.parametrize(
    ("options", "sent", "expected"),
    [
        ({}, [], set()),
        ({"response_format": {"type": "json_object"}}, [{"maximum": 1}], set()),
        (_form(BOUNDED), [BOUNDED], set()),
        (_form(BOUNDED), [LOOSE], {"schema.maxLength"}),
        (_form(BOUNDED), [], {"schema.maxItems", "schema.maxLength"}),
        (_tools(BOUNDED, BOUNDED), [BOUNDED, LOOSE], {"schema.maxLength"}),
        (_form(SHARED), [{"anyOf": [BOUNDED, BOUNDED]}], set()),
        (_form({"properties": {"maximum": {"minimum": 1}}}), [{}], {"schema.minimum"}),
        (_form({"const": {"maximum": 1}}), [{"const": {}}], set()),
        (_form({"oneOf": [{}], "x-own": 1, "title": "a"}), [{"anyOf": [{}]}], {"schema.oneOf"}),
        (_form(7) | _tools(None), [None, 7], set()),
    ],
)
def test_lost_keywords_are_named(
    options: dict[str, Any], sent: list[object], expected: set[str]
) -> None:
    """A property may be called as a keyword is; what stands in a value is no keyword."""
    assert left_out_of(options, sent) == expected


def test_deep_schema_is_read_to_its_end() -> None:
    """Python's own limit on nesting doesn't hold for it."""
    schema: dict[str, Any] = {"maximum": 1}
    for _ in range(10_000):
        schema = {"items": schema}
    assert left_out_of(_form(schema), [{}]) == {"schema.maximum"}
