"""What the configuration's calls take and answer, field by field."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from tests.world.fixtures import VENDOR_KEYS
from tests.world.service import CONFIG, PROVIDERS, Service

PROBLEM = {"code", "detail"}
SHAPE: dict[str, Any] = {
    "revision": int,
    "fingerprint": str,
    "stale_since": str | None,
    "active": {
        "backend": str | None,
        "requested": str,
        "source": str,
        "model": str | None,
        "orchestrator_model": str | None,
        "base_url": str | None,
        "ready": bool,
        "problems": list,
        "warnings": list,
    },
    "policy": {
        "hosted_max_tlp": str,
        "local_backend": str,
        "require_tlp": bool,
        "fallbacks": list,
        "on_refusal": str,
        "sources": {
            "hosted_max_tlp": str,
            "local_backend": str,
            "require_tlp": str,
            "fallbacks": str,
            "on_refusal": str,
        },
        "warnings": list,
    },
    "secret_store": {
        "kind": str,
        "state": str,
        "stale_since": str | None,
        "problem": str | None,
    },
    "providers": list,
    "assignments": {"roles": dict, "agents": dict},
    "hosted_traffic": {
        "state": str,
        "since": str | None,
        "by": str | None,
        "reason": str | None,
        "here": bool,
        "everywhere": bool,
    },
}
ROW: dict[str, Any] = {
    "connection": str,
    "provider": str,
    "source": str,
    "max_tlp": str | None,
    "options": dict,
    "active": bool,
    "needs_key": bool,
    "key_present": bool,
    "key_last4": str | None,
    "key_source": str | None,
    "key_state": str,
    "key_set_at": str | None,
    "key_set_by": str | None,
    "base_url": str | None,
    "base_url_support": str,
    "model": str | None,
    "orchestrator_model": str | None,
    "sources": {
        "model": str,
        "orchestrator_model": str,
        "base_url": str,
        "api_key": str | None,
    },
    "data_leaves_host": bool,
    "best_for": str,
    "ready": bool,
    "problems": list,
    "warnings": list,
    "last_ok_at": str | None,
    "last_error": dict | None,
    "health": {
        "state": str,
        "since": str | None,
        "code": str | None,
        "open_in": int,
        "processes": int,
    },
    "refusals": {"refused": int, "blocked": int, "calls": int, "since": str | None},
    "capabilities": dict | None,
    "model_facts": dict | None,
    "orchestrator_model_facts": dict | None,
}
GATEWAY = "https://gateway.example.com/v1"
KEY = VENDOR_KEYS["deepseek"]


def fits(document: Mapping[str, Any], shape: Mapping[str, Any]) -> bool:
    """Tell whether a document has these fields and no other, each of its type."""
    if document.keys() != shape.keys():
        return False
    return all(
        fits(document[name], kind) if isinstance(kind, dict) else isinstance(document[name], kind)
        for name, kind in shape.items()
    )


def put(admin: httpx.Client, **body: object) -> httpx.Response:
    """Switch and configure."""
    return admin.put(CONFIG, json=body)


def refused(answer: httpx.Response, status: int, code: str) -> bool:
    """Tell whether an answer is this problem."""
    return (answer.status_code, answer.json()["code"]) == (status, code)


def test_inventory_has_the_fields_of_the_contract_and_no_other(service: Service) -> None:
    """Every level of the inventory has exactly the documented fields, each of its type."""
    inventory = service.inventory()
    assert fits(inventory, SHAPE)
    assert all(fits(row, ROW) for row in inventory["providers"])
    problems = [problem for row in inventory["providers"] for problem in row["problems"]]
    assert problems
    assert all(problem.keys() == PROBLEM for problem in problems)


def test_inventory_lists_six_providers_and_marks_the_active_one(service: Service) -> None:
    """All six providers have a row, and one of them is active."""
    rows = {row["provider"]: row for row in service.inventory()["providers"]}
    assert set(rows) == {"ollama", "vllm", "openai", "deepseek", "gemini", "anthropic"}
    assert [name for name, row in rows.items() if row["active"]] == ["vllm"]


def test_inventory_names_the_source_of_each_value(service: Service, admin: httpx.Client) -> None:
    """What was set at runtime, in the environment or nowhere is told apart, field by field."""
    assert service.row("vllm")["sources"] == {
        "model": "default",
        "orchestrator_model": "default",
        "base_url": "env",
        "api_key": None,
    }
    assert put(admin, provider="deepseek", api_key=KEY, model="deepseek-x").status_code == 200
    sources = service.row("deepseek")["sources"]
    assert sources["model"] == "runtime"
    assert sources["base_url"] == "default"
    assert sources["api_key"] == "database"
    assert service.inventory()["active"]["source"] == "runtime"


def test_etag_is_the_revision(service: Service, admin: httpx.Client) -> None:
    """The inventory's ETag is its revision in quotes (RFC 9110, §8.8.3)."""
    answer = admin.get(PROVIDERS)
    assert answer.headers["etag"] == f'"{answer.json()["revision"]}"'
    before = answer.json()["revision"]
    put(admin, provider="ollama")
    assert admin.get(PROVIDERS).headers["etag"] == f'"{before + 1}"'
    assert service.inventory()["revision"] == before + 1


def test_mutation_answers_revision_active_and_row(admin: httpx.Client) -> None:
    """A mutation answers the new revision, the active choice and the provider's row."""
    answer = put(admin, provider="ollama", model="granite4:micro").json()
    assert answer.keys() == {"revision", "active", "provider"}
    assert fits(answer["active"], SHAPE["active"])
    assert fits(answer["provider"], ROW)
    assert (answer["active"]["backend"], answer["active"]["model"]) == ("ollama", "granite4:micro")


def test_omitted_field_is_unchanged(service: Service, admin: httpx.Client) -> None:
    """A field that a PUT leaves out keeps its runtime value."""
    put(admin, provider="ollama", model="one", orchestrator_model="two")
    put(admin, provider="ollama", orchestrator_model="three")
    row = service.row("ollama")
    assert (row["model"], row["orchestrator_model"]) == ("one", "three")


def test_null_is_back_to_the_boot_default(service: Service, admin: httpx.Client) -> None:
    """A field that a PUT sets to null has its boot default again, whatever its source was."""
    before = service.row("vllm")
    put(admin, provider="vllm", model="one", base_url="http://127.0.0.1:9/v1")
    assert service.row("vllm")["base_url"] == "http://127.0.0.1:9/v1"
    put(admin, provider="vllm", model=None, base_url=None)
    after = service.row("vllm")
    for field in ("model", "base_url", "sources"):
        assert after[field] == before[field]


def test_null_key_removes_the_stored_key(service: Service, admin: httpx.Client) -> None:
    """A PUT with `api_key: null` is back to the boot default: here, no key."""
    server = service.row("vllm")["base_url"]
    put(admin, provider="vllm", base_url=server, api_key="vllm-key-0123456789")
    assert service.row("vllm")["key_state"] == "usable"
    put(admin, provider="vllm", api_key=None)
    assert service.row("vllm")["key_state"] == "absent"


@pytest.mark.parametrize("field", ["model", "orchestrator_model", "base_url", "api_key"])
def test_empty_string_is_refused(service: Service, admin: httpx.Client, field: str) -> None:
    """An empty string means nothing in a PUT: 422, and nothing changes."""
    before = service.inventory()
    answer = put(admin, provider="ollama", **{field: ""})
    assert refused(answer, 422, "invalid_input")
    assert [error["field"] for error in answer.json()["errors"]] == [f"body.{field}"]
    assert service.inventory() == before


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("model", "m"),
        ("orchestrator_model", None),
        ("base_url", "http://127.0.0.1:9/v1"),
        ("api_key", "key-0123456789"),
    ],
)
def test_auto_takes_no_other_field(
    service: Service, admin: httpx.Client, field: str, value: str | None
) -> None:
    """`auto` beside any other field, null included, is a 422 that changes nothing."""
    before = service.inventory()
    assert refused(put(admin, provider="auto", **{field: value}), 422, "invalid_input")
    assert service.inventory() == before


def test_auto_alone_resolves_to_a_local_backend(service: Service, admin: httpx.Client) -> None:
    """`auto` finds the vLLM that answers, and says what was asked for and what was found."""
    assert put(admin, provider="auto").status_code == 200
    active = service.inventory()["active"]
    assert (active["requested"], active["backend"]) == ("auto", "vllm")


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", f"{PROVIDERS}/nobody/key", {"api_key": "key-0123456789"}),
        ("DELETE", f"{PROVIDERS}/nobody/key", None),
        ("POST", f"{PROVIDERS}/nobody/test", None),
        ("POST", f"{PROVIDERS}/nobody/models", {"base_url": "https://gateway.example"}),
    ],
)
def test_unknown_provider_in_a_path_is_404(
    admin: httpx.Client, method: str, path: str, body: object
) -> None:
    """A path that names no provider is not found."""
    assert refused(admin.request(method, path, json=body), 404, "unknown_provider")


def test_unknown_provider_in_a_body_is_422(admin: httpx.Client) -> None:
    """A body that names no provider is invalid."""
    assert refused(put(admin, provider="nobody"), 422, "invalid_input")


def test_switch_to_a_provider_that_is_not_ready_changes_nothing(
    service: Service, admin: httpx.Client
) -> None:
    """A hosted provider without a key is refused with what to do, and all stays as it was."""
    before = service.inventory()
    answer = put(admin, provider="deepseek", model="other", orchestrator_model="another")
    assert refused(answer, 409, "provider_not_ready")
    assert "LLM_DEEPSEEK_API_KEY" in answer.json()["detail"]
    assert service.inventory() == before


def test_stale_if_match_is_412(service: Service, admin: httpx.Client) -> None:
    """A change that was made against an older revision is refused, and changes nothing."""
    etag = admin.get(PROVIDERS).headers["etag"]
    put(admin, provider="ollama")
    before = service.inventory()
    answer = admin.put(CONFIG, json={"provider": "vllm"}, headers={"If-Match": etag})
    assert refused(answer, 412, "revision_mismatch")
    assert service.inventory() == before


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("DELETE", CONFIG, None),
        ("PUT", f"{PROVIDERS}/deepseek/key", {"api_key": KEY}),
        ("DELETE", f"{PROVIDERS}/deepseek/key", None),
    ],
)
def test_if_match_holds_for_every_mutation(
    admin: httpx.Client, method: str, path: str, body: object
) -> None:
    """Resetting and key changes honour If-Match as a switch does."""
    stale = {"If-Match": '"99999"'}
    answer = admin.request(method, path, json=body, headers=stale)
    assert refused(answer, 412, "revision_mismatch")


def test_fresh_if_match_is_accepted(admin: httpx.Client) -> None:
    """A change against the current revision is made."""
    etag = admin.get(PROVIDERS).headers["etag"]
    answer = admin.put(CONFIG, json={"provider": "ollama"}, headers={"If-Match": etag})
    assert answer.status_code == 200


def test_malformed_if_match_is_422(admin: httpx.Client) -> None:
    """An If-Match that isn't a revision is invalid, and isn't taken for none."""
    answer = admin.put(CONFIG, json={"provider": "ollama"}, headers={"If-Match": '"latest"'})
    assert refused(answer, 422, "invalid_input")


def test_racing_writers_both_succeed_one_after_the_other(
    service: Service, admin: httpx.Client
) -> None:
    """Without If-Match eight writers at once all succeed, each with a revision of its own."""
    before = service.inventory()["revision"]

    def write(number: int) -> int:
        answer = put(admin, provider="ollama", model=f"model-{number}")
        assert answer.status_code == 200, answer.text
        return int(answer.json()["revision"])

    with ThreadPoolExecutor(8) as pool:
        revisions = sorted(pool.map(write, range(8)))
    assert revisions == list(range(before + 1, before + 9))
    assert service.inventory()["revision"] == before + 8


def test_racing_writers_all_stand_in_the_audit_log(service: Service) -> None:
    """Each of two racing writers has an entry under its own name, each at its own revision."""
    names = ("racer-one", "racer-two")
    clients = {name: service.client(subject=name) for name in names}
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda name: put(clients[name], provider="ollama", model=name), names))
    entries = [service.entries(actor=name)[0]["details"] for name in names]
    assert all(entry["changed"] for entry in entries)
    assert abs(entries[0]["revision"] - entries[1]["revision"]) == 1


def test_no_op_keeps_the_revision_and_is_audited(service: Service, admin: httpx.Client) -> None:
    """A PUT that changes nothing keeps the revision, and leaves an entry that says so."""
    put(admin, provider="ollama", model="same")
    before = service.inventory()
    answer = put(admin, provider="ollama", model="same")
    assert answer.status_code == 200
    assert answer.json()["revision"] == before["revision"]
    assert service.inventory() == before
    newest = service.entries(action="llm.config.changed")[0]
    assert newest["details"]["changed"] is False
    assert newest["details"]["revision"] == before["revision"]


def test_same_key_again_is_a_no_op(service: Service, admin: httpx.Client) -> None:
    """Storing the very key that is stored keeps the revision."""
    path = f"{PROVIDERS}/deepseek/key"
    first = admin.put(path, json={"api_key": KEY}).json()["revision"]
    assert admin.put(path, json={"api_key": f" {KEY}\n"}).json()["revision"] == first
    assert service.entries(action="llm.key.set")[0]["details"]["changed"] is False


def test_reset_keeps_keys(service: Service, admin: httpx.Client) -> None:
    """DELETE config goes back to the boot defaults of every provider, and keeps stored keys."""
    put(admin, provider="deepseek", api_key=KEY, model="other")
    assert admin.delete(CONFIG).status_code == 200
    inventory = service.inventory()
    assert (inventory["active"]["backend"], inventory["active"]["source"]) == ("vllm", "default")
    row = service.row("deepseek")
    assert (row["model"], row["key_state"]) == ("deepseek-v4-flash", "usable")
    assert row["key_source"] == "database"


def test_each_provider_keeps_its_own_configuration(service: Service, admin: httpx.Client) -> None:
    """Switching away and back finds a provider as it was left."""
    put(admin, provider="ollama", model="mine")
    put(admin, provider="vllm", model="yours")
    put(admin, provider="ollama")
    assert service.inventory()["active"]["model"] == "mine"
    assert service.row("vllm")["model"] == "yours"


def test_gemini_with_a_base_url_is_told_to_leave_it_blank(
    service: Service, admin: httpx.Client
) -> None:
    """Gemini takes no base URL: 422 that says so, and nothing changes."""
    before = service.inventory()
    answer = put(admin, provider="gemini", base_url=GATEWAY, api_key=VENDOR_KEYS["gemini"])
    assert refused(answer, 422, "invalid_input")
    assert "leave base_url blank" in answer.json()["detail"]
    assert service.inventory() == before


def test_key_in_force_is_bound_to_its_origin(service: Service, admin: httpx.Client) -> None:
    """Another origin for a provider with a key is a 409 that changes nothing."""
    put(admin, provider="deepseek", api_key=KEY)
    before = service.inventory()
    answer = put(admin, provider="deepseek", base_url=GATEWAY)
    assert refused(answer, 409, "key_bound_to_origin")
    assert service.inventory() == before


def test_base_url_of_the_same_origin_needs_no_key(service: Service, admin: httpx.Client) -> None:
    """Another path at the same origin is no other place for the key."""
    put(admin, provider="deepseek", api_key=KEY)
    answer = put(admin, provider="deepseek", base_url="https://api.deepseek.com:443/beta")
    assert answer.status_code == 200
    assert service.row("deepseek")["key_state"] == "usable"


def test_key_under_twelve_characters_shows_no_last4(service: Service, admin: httpx.Client) -> None:
    """Four characters of a short key would be too many."""
    path = f"{PROVIDERS}/deepseek/key"
    admin.put(path, json={"api_key": "k-345678901"})
    row = service.row("deepseek")
    assert (row["key_present"], row["key_last4"]) == (True, None)
    admin.put(path, json={"api_key": "k-3456789012"})
    assert service.row("deepseek")["key_last4"] == "9012"


def test_deleting_the_active_providers_key_shows_not_ready(
    service: Service, admin: httpx.Client
) -> None:
    """It is allowed; the provider stays active, not ready, and says why."""
    put(admin, provider="deepseek", api_key=KEY)
    answer = admin.delete(f"{PROVIDERS}/deepseek/key")
    assert answer.status_code == 200
    active = service.inventory()["active"]
    assert (active["backend"], active["ready"]) == ("deepseek", False)
    assert [problem["code"] for problem in active["problems"]] == ["key_missing"]


def test_ollama_takes_no_key(admin: httpx.Client) -> None:
    """A key for a backend that takes none is refused, not stored."""
    answer = admin.put(f"{PROVIDERS}/ollama/key", json={"api_key": "key-0123456789"})
    assert refused(answer, 422, "invalid_input")


def test_base_url_is_shown_in_its_one_spelling(service: Service, admin: httpx.Client) -> None:
    """Spellings of one address are shown as one, with the API's root."""
    put(admin, provider="vllm", base_url="http://127.0.0.1:9/v1/")
    first = service.row("vllm")["base_url"]
    put(admin, provider="vllm", base_url="HTTP://127.0.0.1:9")
    assert service.row("vllm")["base_url"] == first == "http://127.0.0.1:9/v1"
