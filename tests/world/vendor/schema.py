"""The smallest JSON instance that fits a JSON Schema, as far as vendors' subsets of it go."""

import json
import math
import re
from collections.abc import Callable, Mapping
from re import _constants, _parser
from typing import Any, Final

_MAX_DEPTH: Final = 32
_NOTE: Final = re.compile(r"(m[a-z]+ (?:value|length|number of items)): (-?\d+)")
_NOTES: Final = {
    "minimum value": "minimum",
    "maximum value": "maximum",
    "minimum length": "minLength",
    "maximum length": "maxLength",
    "minimum number of items": "minItems",
    "maximum number of items": "maxItems",
}


def instance(schema: Mapping[str, Any], wording: str) -> Any:  # noqa: ANN401 - any JSON value
    """Return an instance of `schema` whose free strings say `wording`, cut to their bounds."""
    return _Builder(schema, wording).build(schema, 0)


def described(text: str) -> Mapping[str, Any]:
    """Return the first JSON Schema written out in the prompt; without one, any object."""
    decoder = json.JSONDecoder()
    for brace in re.finditer(r"\{", text):
        try:
            schema, _ = decoder.raw_decode(text, brace.start())
        except ValueError:
            continue
        if "properties" in schema:
            return dict(schema)
    return {"type": "object", "properties": {"answer": {"type": "string"}}}


class _Builder:
    def __init__(self, root: Mapping[str, Any], wording: str) -> None:
        self._root = root
        self._wording = wording

    def build(self, schema: Mapping[str, Any], depth: int) -> Any:  # noqa: ANN401
        if depth > _MAX_DEPTH:
            message = "the schema is recursive without an end"
            raise ValueError(message)
        for keyword in ("const", "default"):
            if keyword in schema:
                return schema[keyword]
        if "enum" in schema:
            return schema["enum"][0]
        if "$ref" in schema:
            return self.build(self._resolve(schema["$ref"]), depth + 1)
        for keyword in ("anyOf", "oneOf"):
            if schema.get(keyword):
                return self.build(schema[keyword][0], depth + 1)
        if schema.get("allOf"):
            merged = {key: value for part in schema["allOf"] for key, value in part.items()}
            return self.build(merged, depth + 1)
        return self._typed(schema, depth)

    def _typed(self, schema: Mapping[str, Any], depth: int) -> Any:  # noqa: ANN401
        schema = {**_noted(schema.get("description", "")), **schema}
        kind = schema.get("type", "object" if "properties" in schema else "string")
        kind = (kind[0] if isinstance(kind, list) else kind).lower()  # Gemini writes STRING
        match kind:
            case "object":
                properties = schema.get("properties", {})
                required = schema.get("required", list(properties))
                return {key: self.build(properties.get(key, {}), depth + 1) for key in required}
            case "array":
                item = schema.get("items", {})
                count = int(schema.get("minItems", 0))
                return [self.build(item, depth + 1) for _ in range(count)]
            case "integer" | "number":
                return _number(schema, whole=kind == "integer")
            case "boolean":
                return False
            case "null":
                return None
        return self._text(schema)

    def _text(self, schema: Mapping[str, Any]) -> str:
        if "pattern" in schema:
            return _matching(schema["pattern"])
        shortest = int(schema.get("minLength", 0))
        return self._wording.ljust(shortest, ".")[: schema.get("maxLength")]

    def _resolve(self, pointer: str) -> Mapping[str, Any]:
        node: Any = self._root
        for step in pointer.removeprefix("#/").split("/"):
            node = node[step.replace("~1", "/").replace("~0", "~")]
        return dict(node)


def _noted(description: str) -> dict[str, int]:
    """Return the bounds that litellm moves into the description, as Anthropic takes none."""
    return {
        _NOTES[note]: int(bound) for note, bound in _NOTE.findall(description) if note in _NOTES
    }


def _number(schema: Mapping[str, Any], *, whole: bool) -> float:
    if "exclusiveMinimum" in schema:
        low = schema["exclusiveMinimum"]
        return math.floor(low) + 1 if whole else math.nextafter(low, math.inf)
    low = schema.get("minimum", min(0, schema.get("maximum", 0)))
    return math.ceil(low) if whole else float(low)


def _matching(pattern: str) -> str:
    """Return a short string that the regular expression matches."""
    return "".join(_atom(code, value) for code, value in _parser.parse(pattern))


def _atom(code: object, value: Any) -> str:  # noqa: ANN401 - the parser's own tuples
    return _ATOMS.get(code, _nothing)(value)


def _nothing(_: Any) -> str:  # noqa: ANN401 - anchors and look-arounds take no room
    return ""


def _category(value: object) -> str:
    return {"DIGIT": "0", "WORD": "a", "SPACE": " "}[str(value).rpartition("_")[2]]


def _repeat(value: Any) -> str:  # noqa: ANN401
    return "".join(_atom(*part) for part in value[2]) * int(value[0])


_ATOMS: Final[dict[object, Callable[[Any], str]]] = {
    _constants.LITERAL: chr,
    _constants.MAX_REPEAT: _repeat,
    _constants.MIN_REPEAT: _repeat,
    _constants.SUBPATTERN: lambda value: "".join(_atom(*part) for part in value[3]),
    _constants.BRANCH: lambda value: "".join(_atom(*part) for part in value[1][0]),
    _constants.IN: lambda value: _atom(*value[0]),
    _constants.RANGE: lambda value: chr(value[0]),
    _constants.CATEGORY: _category,
    _constants.ANY: lambda _: "a",
}
