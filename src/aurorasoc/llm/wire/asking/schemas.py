"""Which keywords of a caller's schemas don't reach a vendor.

Vendors take parts of JSON Schema. LiteLLM drops the rest, or says it in a field's description.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from aurorasoc.llm.wire.answers.reading.fields import mapping, mappings

PREFIX: Final = "schema."
"""Before a keyword, as callers read it: `schema.maximum`."""

_KEYWORDS: Final = frozenset(
    {
        "additionalProperties",
        "allOf",
        "anyOf",
        "const",
        "contains",
        "dependentRequired",
        "dependentSchemas",
        "else",
        "enum",
        "exclusiveMaximum",
        "exclusiveMinimum",
        "format",
        "if",
        "maxContains",
        "maxItems",
        "maxLength",
        "maxProperties",
        "maximum",
        "minContains",
        "minItems",
        "minLength",
        "minProperties",
        "minimum",
        "multipleOf",
        "not",
        "oneOf",
        "pattern",
        "patternProperties",
        "prefixItems",
        "propertyNames",
        "required",
        "then",
        "unevaluatedItems",
        "unevaluatedProperties",
        "uniqueItems",
    }
)
"""What holds a value to something (JSON Schema 2020-12, Validation and Applicator)."""

_BY_NAME: Final = frozenset(
    {"$defs", "definitions", "dependentSchemas", "patternProperties", "properties"}
)
"""Objects whose names are the caller's, and whose values are schemas."""

_VALUES: Final = frozenset({"const", "default", "dependentRequired", "enum", "examples"})
"""Any JSON, which is no schema."""


def left_out_of(options: Mapping[str, Any], sent: Iterable[object]) -> frozenset[str]:
    """Return the keywords that stand in fewer places of what is sent than were asked for.

    Args:
        options: A call's, with its `response_format` and `tools`.
        sent: The schemas in the vendor's body.
    """
    asked = _count(_asked(options))
    return frozenset(PREFIX + keyword for keyword in asked - _count(sent)) if asked else frozenset()


def answers_schema(options: Mapping[str, Any]) -> object:
    """Return the schema that a call's answer is to have; None if it asks for none."""
    return mapping(mapping(options.get("response_format")).get("json_schema")).get("schema")


def _asked(options: Mapping[str, Any]) -> Iterator[object]:
    yield answers_schema(options)
    for tool in mappings(options.get("tools")):
        yield mapping(tool.get("function")).get("parameters")


def _count(schemas: Iterable[object]) -> Counter[str]:
    """Count the keywords; a list of what is left, as a schema may be nested without end."""
    count: Counter[str] = Counter()
    left = list(schemas)
    while left:
        node = left.pop()
        if isinstance(node, list):
            left += node
        for name, value in mapping(node).items():
            if name in _KEYWORDS:
                count[name] += 1
            if name in _BY_NAME:
                left += mapping(value).values()
            elif name not in _VALUES:
                left.append(value)
    return count
