"""Generated requests over our whole OpenAPI document, against the running service.

Valid and invalid ones: no answer is a 5xx that isn't documented, every answer fits its schema,
every error is a problem document; at the door it has OpenAI's shape. Providers are unreachable: the
local ones are closed ports of loopback, and a proxy that refuses every host stands before all
others.
"""

from collections.abc import Iterator
from itertools import count
from typing import Any, Final

import pytest
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, settings
from schemathesis.config import SchemathesisConfig
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from aurorasoc.api.app import include_routers
from tests.world.canaries import SOAK
from tests.world.connect_proxy import ConnectProxy
from tests.world.processes import free_port
from tests.world.service import Service, bearer, token

EXAMPLES: Final = 400 if SOAK else 5
DOOR: Final = "/v1/"
PROBLEM: Final = "application/problem+json"
MEMBERS: Final = {"type", "title", "status", "code", "detail"}
PUBLIC: Final = {"/healthz", "/readyz", "/metrics"}
UNAVAILABLE: Final = {502, 503, 504}
NUMBERS: Final = count(1)
ENDLESS: Final = "/api/v1/system/llm/fleet/events"  # takes nothing, and goes on for ten minutes
FITS: Final = [
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
]


def document() -> dict[str, Any]:
    """Return the OpenAPI document of our routers."""
    app = FastAPI(title="aurorasoc", version="0")
    include_routers(app)
    return app.openapi()


def configured(*, security_parameters: bool) -> schemathesis.BaseSchema:
    """Load the document; methods that a path doesn't have are another test's subject."""
    config = SchemathesisConfig.from_dict(
        {
            "phases": {"coverage": {"unexpected-methods": []}},
            "generation": {"with-security-parameters": security_parameters},
        }
    )
    return schemathesis.openapi.from_dict(document(), config=config).exclude(path=ENDLESS)


WITH_TOKEN: Final = configured(security_parameters=False)
WITHOUT_TOKEN: Final = configured(security_parameters=True)

Case = schemathesis.Case[Any]

bounded = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=not SOAK,
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module")
def proxy() -> Iterator[ConnectProxy]:
    """Refuse every host, and write down which were asked for."""
    with ConnectProxy(None) as refusing:
        yield refusing


@pytest.fixture(scope="module")
def fuzzed(proxy: ConnectProxy, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Run a service that can reach nobody; after all of it, it answers and its chain holds."""
    closed = f"http://127.0.0.1:{free_port()}"
    variables = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"), proxy.url)
    variables |= {
        "NO_PROXY": "127.0.0.1,localhost",
        "LLM_VLLM_BASE_URL": f"{closed}/v1",
        "LLM_OLLAMA_BASE_URL": closed,
        "LLM_DEEPSEEK_API_KEY": "key-for-the-fuzzer-0123456789",
        "LLM_TIMEOUT": "2",
        "LLM_MAX_RETRIES": "0",
    }
    with Service(tmp_path_factory.mktemp("fuzzed"), variables) as service:
        yield service
        assert "unexpected error" not in service.output
        assert "Traceback" not in service.output
        assert service.inventory()["revision"] >= 0
        assert service.command("audit", "verify").returncode == 0


def check(case: Case, answer: schemathesis.Response) -> None:
    """Hold an answer to the document, and an error to the form of problems."""
    assert answer.status_code < 500 or answer.status_code in UNAVAILABLE, answer.text
    case.validate_response(answer, checks=FITS)
    if answer.status_code >= 400 and case.operation.path.startswith(DOOR):
        assert answer.json()["error"].keys() >= {"message", "type", "param", "code"}
    elif answer.status_code >= 400:
        problem = answer.json()
        assert answer.headers["content-type"] == [PROBLEM]
        assert problem.keys() >= MEMBERS
        assert problem["status"] == answer.status_code


@pytest.mark.soak
@WITH_TOKEN.parametrize()
@bounded
def test_admins_requests_are_answered_as_documented(case: Case, fuzzed: Service) -> None:
    """Whatever an admin sends: a documented status, a body that fits, problems for errors."""
    subject = f"fuzzer-{next(NUMBERS)}"  # tests are limited by subject
    headers = bearer(token(subject=subject))
    check(case, case.call(base_url=fuzzed.url, headers=headers))


@pytest.mark.soak
@WITHOUT_TOKEN.parametrize()
@bounded
def test_requests_without_a_token_are_answered_as_documented(case: Case, fuzzed: Service) -> None:
    """Without a token, or with a made-up one, nothing but health is answered, and no 5xx at all."""
    answer = case.call(base_url=fuzzed.url)
    check(case, answer)
    assert answer.status_code < 500
    invalid = 400 if case.operation.path.startswith(DOOR) else 422
    assert answer.status_code in {401, invalid} or case.operation.path in PUBLIC
