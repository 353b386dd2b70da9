"""Who may call what: every route of the app, asked by everyone."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final, get_args

import httpx
import jwt
import pytest
from fastapi.routing import APIRoute, RouteContext, iter_route_contexts
from starlette.routing import Route

from aurorasoc.api import deps
from aurorasoc.api.app import create_app
from aurorasoc.core.access.permissions import Permission
from aurorasoc.web import SETTINGS_PAGE
from aurorasoc.web.assets import load_assets
from tests.world import patient
from tests.world.service import API, CONFIG, PROVIDERS, SESSION_SECRET, Service, bearer, token

LLM: Final = f"{API}/system/llm"
INVESTIGATIONS: Final = f"{API}/investigations"

# The table of the design; None: no permission. A route that isn't here is nobody's decision.
PERMISSIONS: Final[dict[tuple[str, str], str | None]] = {
    ("GET", f"{LLM}/providers"): "agents:read",
    ("PUT", f"{LLM}/config"): "users:manage",
    ("DELETE", f"{LLM}/config"): "users:manage",
    ("PUT", f"{LLM}/providers/{{provider}}/key"): "users:manage",
    ("DELETE", f"{LLM}/providers/{{provider}}/key"): "users:manage",
    ("POST", f"{LLM}/providers/{{provider}}/test"): "users:manage",
    ("GET", f"{LLM}/providers/{{provider}}/models"): "agents:read",
    ("POST", f"{LLM}/providers/{{provider}}/models"): "users:manage",
    ("POST", f"{LLM}/address"): "agents:read",
    ("PUT", f"{LLM}/connections/{{name}}"): "users:manage",
    ("DELETE", f"{LLM}/connections/{{name}}"): "users:manage",
    ("PUT", f"{LLM}/assignments"): "users:manage",
    ("PUT", f"{LLM}/hosted-traffic"): "users:manage",
    ("GET", f"{LLM}/budgets"): "agents:read",
    ("PUT", f"{LLM}/budgets"): "users:manage",
    ("PUT", f"{LLM}/policy"): "users:manage",
    ("POST", f"{LLM}/policy/explain"): "agents:read",
    ("GET", f"{LLM}/fleet"): "agents:read",
    ("GET", f"{LLM}/fleet/events"): "agents:read",
    ("GET", f"{LLM}/caller"): "agents:read",
    ("GET", f"{LLM}/history"): "agents:read",
    ("GET", f"{LLM}/history/{{revision}}"): "agents:read",
    ("GET", f"{LLM}/history/{{revision}}/rollback"): "agents:read",
    ("POST", f"{LLM}/rollback"): "users:manage",
    ("GET", f"{LLM}/config/reset"): "agents:read",
    ("GET", f"{API}/clients"): "users:manage",
    ("POST", f"{API}/clients"): "users:manage",
    ("POST", f"{API}/clients/{{name}}/secret"): "users:manage",
    ("DELETE", f"{API}/clients/{{name}}"): "users:manage",
    ("GET", f"{API}/audit"): "audit:read",
    ("GET", f"{API}/usage"): "agents:read",
    ("POST", f"{API}/chat"): "alerts:investigate",
    ("POST", INVESTIGATIONS): "alerts:investigate",
    ("GET", INVESTIGATIONS): "alerts:investigate",
    ("GET", f"{INVESTIGATIONS}/{{id}}"): "alerts:investigate",
    ("GET", f"{INVESTIGATIONS}/{{id}}/events"): "alerts:investigate",
    ("POST", f"{INVESTIGATIONS}/{{id}}/resume"): "alerts:investigate",
    ("POST", "/v1/chat/completions"): "alerts:investigate",
    ("GET", "/v1/models"): "alerts:investigate",
    ("GET", "/v1/models/{model}"): "alerts:investigate",
    ("GET", "/healthz"): None,
    ("GET", "/readyz"): None,
    ("GET", "/metrics"): None,
    ("GET", "/"): None,  # leads to the page
    ("GET", SETTINGS_PAGE): None,  # no data: that comes by the calls above
    ("GET", f"{SETTINGS_PAGE}/assets/{{version}}/{{name}}"): None,
    ("GET", "/openapi.json"): None,  # what the routes are, as FastAPI describes them
}
ROLES: Final = {
    "admin": {"agents:read", "alerts:investigate", "audit:read", "users:manage"},
    "operator": {"agents:read", "alerts:investigate"},
    "analyst": {"agents:read", "alerts:investigate"},
    "viewer": {"agents:read"},
    "api_service": {"alerts:investigate"},
    "stranger": set(),
}
PLACES: Final = {
    "provider": "deepseek",
    "revision": "1",
    "id": "no-such-investigation",
    "model": "specialist",
    "version": load_assets().version,
    "name": "app.js",
}


def app_routes() -> list[RouteContext]:
    """Build the service's own app, whatever this shell says, and give its routes."""
    with pytest.MonkeyPatch.context() as shell:
        for name in os.environ:
            if name.startswith(("AURORA_", "JWT_", "LLM_", "OLLAMA_", "VAULT_", "VLLM_")):
                shell.delenv(name)
        return list(iter_route_contexts(create_app().routes))


def calls() -> list[tuple[str, str]]:
    """List the method and path of each route; HEAD goes with GET."""
    result = []
    for route in app_routes():
        assert isinstance(route.original_route, Route | APIRoute), f"who may use {route}?"
        result += [(method, route.path or "") for method in route.methods or () if method != "HEAD"]
    return result


CALLS: Final = calls()
GUARDED: Final = [call for call in CALLS if PERMISSIONS.get(call) is not None]
OPEN: Final = [call for call in CALLS if PERMISSIONS.get(call, "") is None]
every_guarded = pytest.mark.parametrize("call", GUARDED, ids=" ".join)


def unsigned() -> str:
    """Make a token of an admin that nobody signed (RFC 8725, §2.1)."""
    claims = {"sub": "mallory", "roles": ["admin"], "exp": datetime.now(UTC) + timedelta(hours=1)}
    return jwt.encode(claims, "", algorithm="none")


def headers_of(who: str) -> dict[str, str]:
    """Return what someone sends to show who they are."""
    if who == "no token":
        return {}
    if who == "expired":
        return bearer(token(lifetime=timedelta(seconds=-60)))
    if who == "wrong secret":
        return bearer(token(secret=SESSION_SECRET[::-1]))
    if who == "alg none":
        return bearer(unsigned())
    return bearer(token(who, subject=f"matrix-{who}"))


def ask(client: httpx.Client, call: tuple[str, str], who: str) -> httpx.Response:
    """Make a call without a body: who may not make it learns that first.

    A stream of events that goes on is left after its head.
    """
    method, path = call
    with client.stream(method, path.format(**PLACES), headers=headers_of(who)) as answer:
        if not answer.headers.get("content-type", "").startswith("text/event-stream"):
            answer.read()
        return answer


def code_of(answer: httpx.Response) -> str:
    """Return a refusal's code: a problem document's, or in OpenAI's shape."""
    document = answer.json()
    code: str = document.get("error", document)["code"]
    return code


@pytest.fixture
def client(service: Service) -> Iterator[httpx.Client]:
    """Yield a client that brings no token of its own."""
    with patient.client(base_url=service.url) as client:
        yield client


def guards(route: RouteContext) -> set[str]:
    """Name the permissions that stand in a route's signature, however deep."""
    aliases = {
        deps.AgentsReader: Permission.AGENTS_READ,
        deps.AuditReader: Permission.AUDIT_READ,
        deps.DoorCaller: Permission.ALERTS_INVESTIGATE,
        deps.Investigator: Permission.ALERTS_INVESTIGATE,
        deps.UserManager: Permission.USERS_MANAGE,
    }
    known = {get_args(alias)[1].dependency: str(named) for alias, named in aliases.items()}
    permissions, waiting = set(), [route.dependant]
    while waiting:
        dependant = waiting.pop()
        waiting += dependant.dependencies
        if dependant.call in known:
            permissions.add(known[dependant.call])
    return permissions


def test_every_route_of_the_app_is_in_the_designs_table() -> None:
    """No route exists whose permission the design doesn't say."""
    assert [call for call in CALLS if call not in PERMISSIONS] == []
    assert len(CALLS) == len(set(CALLS))


def test_every_signature_names_the_permission_of_the_table() -> None:
    """Authorisation stands in each route's signature, and it is the design's."""
    for route in app_routes():
        if isinstance(route.original_route, APIRoute):
            [method] = list(route.methods or [])
            permission = PERMISSIONS[method, route.path or ""]
            assert guards(route) == ({permission} if permission else set()), route.path


def test_every_permission_is_asked_of_somebody() -> None:
    """The table below is not empty: each permission guards a route of the app."""
    assert {PERMISSIONS[call] for call in GUARDED} == set(map(str, Permission))


@pytest.mark.parametrize("who", ["no token", "expired", "wrong secret", "alg none"])
@every_guarded
def test_guarded_route_answers_401_without_a_token_that_holds(
    client: httpx.Client, call: tuple[str, str], who: str
) -> None:
    """Without a valid token every guarded route answers 401 and names the scheme."""
    answer = ask(client, call, who)
    assert (answer.status_code, code_of(answer)) == (401, "unauthenticated")
    assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("role", ROLES)
@every_guarded
def test_guarded_route_lets_the_roles_of_the_table_pass(
    client: httpx.Client, call: tuple[str, str], role: str
) -> None:
    """A role passes where the design says so, and gets a 403 everywhere else."""
    answer = ask(client, call, role)
    if PERMISSIONS[call] in ROLES[role]:
        assert answer.status_code not in {401, 403, 500}
    else:
        assert (answer.status_code, code_of(answer)) == (403, "permission_denied")


@pytest.mark.parametrize("who", ["no token", "expired", "alg none", "viewer"])
@pytest.mark.parametrize("call", OPEN, ids=" ".join)
def test_open_route_asks_nobody_who_they_are(
    client: httpx.Client, call: tuple[str, str], who: str
) -> None:
    """Health, metrics, the description and the page's files need no token, and mind none."""
    assert ask(client, call, who).status_code == (307 if call == ("GET", "/") else 200)


def test_permissions_claim_grants_what_it_names(client: httpx.Client) -> None:
    """A token's own permissions count beside its roles; unknown names grant nothing."""
    claims: dict[str, Any] = {"sub": "claims", "exp": datetime.now(UTC) + timedelta(hours=1)}
    claims |= {"permissions": ["audit:read", "everything:*"]}
    headers = bearer(jwt.encode(claims, SESSION_SECRET, algorithm="HS256"))
    assert client.get(f"{API}/audit", headers=headers).status_code == 200
    assert client.get(f"{LLM}/providers", headers=headers).status_code == 403


@pytest.mark.parametrize("missing", ["sub", "exp"])
def test_token_without_a_required_claim_is_refused(client: httpx.Client, missing: str) -> None:
    """Subject and expiry are required: a token that never ends is no token."""
    claims = {"sub": "x", "exp": datetime.now(UTC) + timedelta(hours=1), "roles": ["admin"]}
    del claims[missing]
    headers = bearer(jwt.encode(claims, SESSION_SECRET, algorithm="HS256"))
    assert client.get(f"{LLM}/providers", headers=headers).status_code == 401


def test_every_403_is_an_audit_entry(service: Service, client: httpx.Client) -> None:
    """Each route that a viewer is refused has one entry under the viewer's name."""
    headers = bearer(token("viewer", subject="curious"))
    refused = [call for call in GUARDED if PERMISSIONS[call] not in ROLES["viewer"]]
    for method, path in refused:
        client.request(method, path.format(**PLACES), headers=headers)
    entries = service.entries(actor="curious", action="access.denied")
    targets = [f"{method} {path.removeprefix(API)}" for method, path in refused]
    assert sorted(entry["target"] for entry in entries) == sorted(targets)
    assert {e["details"]["permission"] for e in entries} == {PERMISSIONS[call] for call in refused}


def test_403s_are_coalesced_within_a_minute(service: Service) -> None:
    """Ten refusals of one principal at one target within a minute are one entry."""
    client = service.client("viewer", subject="persistent")
    answers = [client.put(CONFIG, json={"provider": "ollama"}).status_code for _ in range(10)]
    assert answers == [403] * 10
    assert len(service.entries(actor="persistent", action="access.denied")) == 1


def test_403s_of_two_principals_are_two_entries(service: Service) -> None:
    """Coalescing hides nobody behind somebody else."""
    for name in ("first", "second"):
        service.client("viewer", subject=f"{name}-of-two").delete(CONFIG)
    for name in ("first", "second"):
        (entry,) = service.entries(actor=f"{name}-of-two", action="access.denied")
        assert entry["target"] == f"DELETE {CONFIG}"


def test_refused_call_changes_nothing(service: Service) -> None:
    """What a viewer was refused didn't happen."""
    before = service.inventory()
    viewer = service.client("viewer")
    viewer.put(CONFIG, json={"provider": "ollama"})
    viewer.put(f"{PROVIDERS}/deepseek/key", json={"api_key": "key-0123456789"})
    assert service.inventory() == before


def test_401_goes_to_the_log_only(service: Service, client: httpx.Client) -> None:
    """A caller who can't be named leaves no audit entry, but a line in the log."""
    before = service.entries()[0]["seq"]
    seen = service.output.count('"event": "unauthenticated"')
    assert client.get(f"{LLM}/providers").status_code == 401
    assert service.entries()[0]["seq"] == before
    assert service.output.count('"event": "unauthenticated"') == seen + 1
    assert '"reason": "no token was sent"' in service.output
