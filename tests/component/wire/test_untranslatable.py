"""What can't be said in a vendor's format is the request's fault, and never the vendor's."""

from typing import Any, Final

import pytest
from pydantic import SecretStr

from aurorasoc.config.snapshot import CallLimits
from aurorasoc.config.vocabulary import ServingBackend
from aurorasoc.errors import RequestRefused
from aurorasoc.granite import ModelReference
from aurorasoc.granite.catalog import CATALOG
from aurorasoc.llm.wire.asking.request import ModelRequest
from tests.component.wire.translated import translated

PING: Final[list[dict[str, Any]]] = [{"role": "user", "content": "ping"}]
TOOL: Final = {
    "type": "function",
    "function": {"name": "f", "parameters": {"type": "object", "properties": []}},
}
FORMAT: Final = {
    "type": "json_schema",
    "json_schema": {"name": "f", "schema": {"$defs": 3, "$ref": "#/$defs/x"}},
}


@pytest.mark.parametrize(
    ("provider", "model", "options"),
    [
        ("gemini", "gemini-2.5-pro", {"tools": [TOOL]}),
        ("anthropic", "claude-sonnet-4-5", {"response_format": FORMAT}),
    ],
)
def test_a_request_that_no_format_holds_says_nothing_of_the_vendor(
    libraries: None, provider: str, model: str, options: dict[str, Any]
) -> None:
    """Else five such requests would open its breaker for everybody."""
    del libraries
    request = ModelRequest(_reference(provider, model), PING, options, stream=False)
    with pytest.raises(RequestRefused) as failure:
        translated(request)
    assert failure.value.of_request
    assert failure.value.is_invalid
    assert not failure.value.retryable
    assert not failure.value.may_have_cost
    assert failure.value.__context__ is None


def _reference(provider: str, model: str) -> ModelReference:
    spec = CATALOG[ServingBackend(provider)]
    limits = CallLimits(timeout=5.0, max_retries=0, max_concurrency=None)
    origin = "https://vendor.example"
    base = None if provider == "gemini" else origin
    key = SecretStr("sk-test-0123456789abcdef")
    return ModelReference(provider, spec.provider, spec.prefix, model, base, origin, key, limits)
