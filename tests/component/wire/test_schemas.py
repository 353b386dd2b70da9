"""What each vendor's format says of a caller's schemas, and what isn't said is named."""

from typing import Any, Final

import pytest
from pydantic import SecretStr

from aurorasoc.config.snapshot import CallLimits
from aurorasoc.config.vocabulary import ServingBackend
from aurorasoc.granite import ModelReference
from aurorasoc.granite.catalog import CATALOG
from aurorasoc.llm.wire.asking.request import ModelRequest
from tests.component.wire.endings.table import RESPONSES_MODEL
from tests.component.wire.table import EVERY, TABLE
from tests.component.wire.translated import translated

PING: Final[list[dict[str, Any]]] = [{"role": "user", "content": "ping"}]
SCHEMA: Final = {
    "type": "object",
    "properties": {
        "count": {"type": "integer", "minimum": 0},
        "tags": {"type": "array", "items": {"type": "string", "pattern": "^T"}, "maxItems": 3},
        "kind": {"const": "alert"},
    },
    "required": ["count"],
}
FORM: Final = {
    "response_format": {"type": "json_schema", "json_schema": {"name": "f", "schema": SCHEMA}}
}
TOOLS: Final = {"tools": [{"type": "function", "function": {"name": "f", "parameters": SCHEMA}}]}
LOST: Final = {
    ("anthropic", "form"): {"schema.maxItems", "schema.minimum"},
    ("gemini", "tools"): {"schema.const"},
}
MODELS: Final = [*((provider, TABLE[provider].model) for provider in EVERY)]


@pytest.mark.parametrize("kind", ["form", "tools"])
@pytest.mark.parametrize(("provider", "model"), [*MODELS, ("openai", RESPONSES_MODEL)])
def test_keywords_that_a_vendor_isnt_sent_are_named(
    libraries: None, provider: str, model: str, kind: str
) -> None:
    """Whole schemas are sent to all others."""
    del libraries
    options = FORM if kind == "form" else TOOLS
    request = ModelRequest(_reference(provider, model), PING, {**options}, stream=False)
    assert translated(request).schema_left_out == LOST.get((provider, kind), set())


def _reference(provider: str, model: str) -> ModelReference:
    spec = CATALOG[ServingBackend(provider)]
    limits = CallLimits(timeout=5.0, max_retries=0, max_concurrency=None)
    base = None if provider == "gemini" else spec.default_base_url
    key = SecretStr("sk-test-0123456789abcdef")
    return ModelReference(
        provider, spec.provider, spec.prefix, model, base, spec.default_base_url, key, limits
    )
