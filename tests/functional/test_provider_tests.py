"""The test button tells the truth: its codes, its second look at keys, its limits and traces.

`?verify=true` is the same test before a switch, and production calls tell what no test did.
"""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import httpx
import pytest

from tests.world.canaries import found
from tests.world.certificates import CertificateAuthority
from tests.world.fixtures import VENDOR_KEYS
from tests.world.loopback import LOOPBACK
from tests.world.processes import free_port, until
from tests.world.service import CONFIG, PROVIDERS, Service, asked, events
from tests.world.vendor import Exchange, Fault, Refusal, VendorServer
from tests.world.vendor.http1 import Answer

EVERY: Final = ("ollama", "vllm", *VENDOR_KEYS)
MODELS: Final = {"specialist": "deepseek-v4-flash", "orchestrator": "deepseek-v4-pro"}
KEY: Final = VENDOR_KEYS["openai"]
REFUSED_KEY: Final = "sk-refused-0123456789abcdef"
MARK: Final = "words-of-the-upstream"
SECONDS: Final = 5.0
"""LLM_TIMEOUT of the service: long enough on a busy machine, short enough to wait for once."""

CODES: Final = {
    "auth_failed": Fault(refusal=Refusal.BAD_KEY),
    "model_not_found": Fault(refusal=Refusal.UNKNOWN_MODEL),
    "rate_limited": Fault(refusal=Refusal.RATE_LIMITED),
    "quota_exceeded": Fault(refusal=Refusal.QUOTA),
    "endpoint_not_found": Fault.html(404),
    "overloaded": Fault(refusal=Refusal.OVERLOADED),
    "unreachable": Fault(reset=True),
    "bad_response": Fault.html(),
}
every_provider = pytest.mark.parametrize("provider", EVERY)
every_hosted = pytest.mark.parametrize("provider", VENDOR_KEYS)
every_role = pytest.mark.parametrize("role", MODELS)


class Particular(VendorServer):
    """A vendor whose model takes no `max_tokens`, as OpenAI's thinking models don't."""

    def _answer(self, exchange: Exchange, fault: Fault) -> Answer:
        if "max_tokens" in (exchange.body or {}):
            message = "Unsupported parameter: 'max_tokens' is not supported with this model."
            error = {"message": message, "type": "invalid_request_error", "param": "max_tokens"}
            return Answer.of({"error": error | {"code": "unsupported_parameter"}}, 400)
        return super()._answer(exchange, fault)


@pytest.fixture(scope="module")
def shared_service(
    world_variables: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[], Service]]:
    """Run a service that may be led to loopback, and doesn't wait for ever."""
    overrides = {"AURORA_ALLOWED_HOSTS": LOOPBACK, "LLM_TIMEOUT": str(SECONDS)}
    with Service(tmp_path_factory.mktemp("tested"), world_variables | overrides) as service:
        until(lambda: '"warm"' in service.output, 120)  # the first call waits for the libraries
        yield lambda: service


@pytest.fixture
def tester(service: Service, request: pytest.FixtureRequest) -> httpx.Client:
    """Return an admin of the test's own: tests are counted for each."""
    return service.client(subject=f"tester of {request.node.name}")


def keyed(service: Service, provider: str) -> None:
    """Store the provider's key, where it takes one, for its vendor's own address."""
    if provider in VENDOR_KEYS:
        key = {"api_key": VENDOR_KEYS[provider]}
        stored = service.client().put(f"{PROVIDERS}/{provider}/key", json=key)
        assert stored.status_code == 200, stored.text


def lead_to(service: Service, url: str, **fields: str) -> None:
    """Set a base URL of its own for `openai`, and the key for it."""
    body = {"provider": "openai", "base_url": f"{url}/v1", "api_key": KEY, **fields}
    switched = service.client().put(CONFIG, json=body)
    assert switched.status_code == 200, switched.text


def outcome(client: httpx.Client, provider: str, **body: str) -> dict[str, Any]:
    """Test a provider."""
    answer = client.post(f"{PROVIDERS}/{provider}/test", json=body or None)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def verdict(result: dict[str, Any]) -> tuple[bool, str]:
    """Return whether a test passed, and its code."""
    return result["ok"], result["code"]


@every_role
@pytest.mark.parametrize("code", CODES)
def test_each_failure_has_its_code_for_each_role(
    service: Service, hosted: VendorServer, tester: httpx.Client, role: str, code: str
) -> None:
    """The answer is a 200 that names what was tested and what went wrong."""
    keyed(service, "deepseek")
    hosted.faults.set(CODES[code])
    result = outcome(tester, "deepseek", role=role)
    fields = {"connection", "provider", "model", "ok", "code", "detail", "latency_ms"}
    fields |= {"key_checked"}
    assert result.keys() == fields | {"capabilities"}
    assert result["capabilities"] is None
    assert verdict(result) == (False, code)
    assert (result["provider"], result["model"]) == ("deepseek", MODELS[role])
    assert result["key_checked"] is None


def test_silent_vendor_is_a_timeout(
    service: Service, hosted: VendorServer, tester: httpx.Client
) -> None:
    """For a test of each role and for a chat, streamed or not; all wait at the same time."""
    keyed(service, "deepseek")
    service.client().put(CONFIG, json={"provider": "deepseek"})
    hosted.faults.set(Fault(delay=2 * SECONDS))
    analyst = service.client("analyst")
    with ThreadPoolExecutor(4) as pool:
        tests = [pool.submit(outcome, tester, "deepseek", role=role) for role in MODELS]
        whole = pool.submit(analyst.post, "/chat", json=asked())
        streamed = pool.submit(analyst.post, "/chat", json=asked(stream=True))
    for test, model in zip(tests, MODELS.values(), strict=True):
        result = test.result()
        assert (verdict(result), result["model"]) == ((False, "timeout"), model)
    answer = whole.result()
    assert (answer.status_code, answer.json()["code"]) == (504, "timeout")
    assert events(streamed.result().text) == [("error", answer.json())]


@every_role
def test_role_decides_which_model_is_tested(
    service: Service, hosted: VendorServer, tester: httpx.Client, role: str
) -> None:
    """What was sent is the model of that role, and the answer says so."""
    keyed(service, "deepseek")
    assert outcome(tester, "deepseek", role=role)["model"] == MODELS[role]
    assert {request.body["model"] for request in hosted.requests} == {MODELS[role]}


@every_provider
@pytest.mark.parametrize("code", ["auth_failed", "model_not_found", "quota_exceeded"])
def test_refusal_has_the_same_code_at_every_vendor(
    service: Service,
    hosted: VendorServer,
    local_servers: VendorServer,
    tester: httpx.Client,
    provider: str,
    code: str,
) -> None:
    """Each vendor says it in its own words and with its own status."""
    keyed(service, provider)
    for server in (hosted, local_servers):
        server.faults.set(CODES[code])
    assert verdict(outcome(tester, provider)) == (False, code)


def test_nobody_listening_is_unreachable(service: Service, tester: httpx.Client) -> None:
    """A base URL at which there is nothing."""
    lead_to(service, f"http://{LOOPBACK}:{free_port()}")
    assert verdict(outcome(tester, "openai")) == (False, "unreachable")


def test_untrusted_certificate_is_a_tls_error(
    service: Service, tester: httpx.Client, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A certificate of an authority that isn't trusted here; the detail says what to set."""
    stranger = CertificateAuthority(tmp_path_factory.mktemp("stranger"))
    with VendorServer({"openai": KEY}, tls=stranger.issue().context()) as server:
        lead_to(service, server.tls_url)
        result = outcome(tester, "openai")
        assert server.requests == []
    assert verdict(result) == (False, "tls_error")
    assert "SSL_CERT_FILE" in result["detail"]


@every_provider
def test_zero_visible_tokens_is_reachable(
    service: Service,
    hosted: VendorServer,
    local_servers: VendorServer,
    tester: httpx.Client,
    provider: str,
) -> None:
    """A thinking model may spend all that it is allowed before it says a word."""
    keyed(service, provider)
    for server in (hosted, local_servers):
        server.faults.set(Fault(empty_content=True, times=1))
    assert verdict(outcome(tester, provider)) == (True, "ok")


@pytest.mark.parametrize("thinking", [False, True], ids=["speaks", "thinks"])
def test_model_that_refuses_max_tokens_is_reachable(
    service: Service,
    tester: httpx.Client,
    thinking: bool,  # noqa: FBT001 - a row of the table
) -> None:
    """It is asked again without a bound, and may then show nothing but thoughts."""
    with Particular({"openai": KEY}) as server:
        server.faults.set(Fault(empty_content=thinking, times=2))
        lead_to(service, server.url)
        result = outcome(tester, "openai")
    assert verdict(result) == (True, "ok")
    assert result["key_checked"] is True


@every_hosted
def test_vendors_own_origin_is_never_sent_a_wrong_key(
    service: Service, hosted: VendorServer, tester: httpx.Client, provider: str
) -> None:
    """Every call has the one key; whether keys are checked stays unsaid."""
    keyed(service, provider)
    result = outcome(tester, provider)
    assert (verdict(result), result["key_checked"]) == ((True, "ok"), None)
    for request in hosted.requests:
        said = {name: value.encode() for name, value in request.headers.items()}
        assert found([VENDOR_KEYS[provider]], said)


def test_endpoint_that_checks_keys_is_seen_to(
    service: Service, hosted: VendorServer, tester: httpx.Client
) -> None:
    """At a base URL of one's own a second call brings a key that can't be right."""
    lead_to(service, hosted.url)
    result = outcome(tester, "openai")
    assert (verdict(result), result["key_checked"]) == ((True, "ok"), True)
    first, second, *others = (request.headers["authorization"] for request in hosted.requests)
    assert {first, *others} == {f"Bearer {KEY}"}
    assert first == f"Bearer {KEY}"
    assert second.startswith("Bearer wrong-")


def test_endpoint_that_ignores_keys_is_named(
    service: Service, hosted: VendorServer, tester: httpx.Client
) -> None:
    """A green test there says nothing of the key, and `detail` warns of it."""
    lead_to(service, hosted.url)
    hosted.faults.set(Fault(ignore_keys=True))
    result = outcome(tester, "openai")
    assert (verdict(result), result["key_checked"]) == ((True, "ok"), False)
    assert "doesn't check keys" in result["detail"]


def test_wrong_key_is_not_tried_after_a_failure(
    service: Service, hosted: VendorServer, tester: httpx.Client
) -> None:
    """There would be nothing to learn."""
    lead_to(service, hosted.url)
    hosted.faults.set(Fault(refusal=Refusal.BAD_KEY))
    result = outcome(tester, "openai")
    assert (verdict(result), result["key_checked"]) == ((False, "auth_failed"), None)
    assert {r.headers["authorization"] for r in hosted.requests} == {f"Bearer {KEY}"}


@pytest.mark.parametrize("provider", ["ollama", "vllm"])
def test_wrong_key_is_not_tried_where_none_is_in_force(
    service: Service, local_servers: VendorServer, tester: httpx.Client, provider: str
) -> None:
    """A backend without a key is asked without one."""
    del service
    assert outcome(tester, provider)["key_checked"] is None
    sent = {request.headers.get("authorization") for request in local_servers.requests}
    assert sent <= {None, "Bearer not-needed"}


def test_wrong_key_leaves_no_trace_in_the_inventory(
    service: Service, hosted: VendorServer, tester: httpx.Client
) -> None:
    """Its refusal was asked for: it is no failure of the provider."""
    lead_to(service, hosted.url)
    outcome(tester, "openai")
    assert service.row("openai")["last_error"] is None


@pytest.mark.parametrize("provider", VENDOR_KEYS)
def test_provider_without_a_key_is_not_called(
    service: Service, hosted: VendorServer, tester: httpx.Client, provider: str
) -> None:
    """It answers 409 with what is missing, and nothing leaves."""
    del service
    answer = tester.post(f"{PROVIDERS}/{provider}/test")
    assert (answer.status_code, answer.json()["code"]) == (409, "provider_not_ready")
    assert hosted.requests == []


def test_test_is_audited_before_anything_is_sent_and_with_its_outcome(
    service: Service, hosted: VendorServer
) -> None:
    """While the vendor hasn't answered yet, the first of the two entries stands."""
    keyed(service, "deepseek")
    actor, gate = "audited-tester", threading.Event()
    client = service.client(subject=actor)
    hosted.faults.set(Fault(gate=gate))
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(outcome, client, "deepseek", role="orchestrator")
        until(lambda: hosted.requests)
        before = [entry["action"] for entry in service.entries(actor=actor)]
        gate.set()
        assert waiting.result(60)["ok"]
    assert before == ["llm.test.started"]
    finished, started = service.entries(actor=actor)
    assert finished["action"] == "llm.test.finished"
    assert {entry["target"] for entry in (started, finished)} == {"deepseek"}
    assert started["details"]["model"] == MODELS["orchestrator"]
    assert started["details"]["origin"] == "https://api.deepseek.com:443"
    assert (finished["details"]["ok"], finished["details"]["code"]) == (True, "ok")


@pytest.mark.parametrize("status", [200, 400, 401, 403, 404, 429, 500, 503])
def test_providers_body_is_passed_on_nowhere(
    service: Service, hosted: VendorServer, tester: httpx.Client, status: int
) -> None:
    """Not in the answer, the audit log, the service's log or the inventory."""
    keyed(service, "deepseek")
    body = f'{{"error": {{"message": "{MARK} {VENDOR_KEYS["deepseek"]}"}}}}'.encode()
    hosted.faults.set(Fault(status=status, body=body, headers={"X-Request-Id": MARK}))
    answer = tester.post(f"{PROVIDERS}/deepseek/test")
    assert answer.json()["ok"] is False
    places = {
        "answer": answer.content + repr(answer.headers).encode(),
        "audit log": repr(service.entries()).encode(),
        "log": service.output.encode(),
        "inventory": repr(service.inventory()).encode(),
    }
    assert found([MARK, VENDOR_KEYS["deepseek"]], places) == []


def test_more_tests_than_a_minute_takes_are_refused(
    service: Service, local_servers: VendorServer, tester: httpx.Client
) -> None:
    """A 429 says when to come back, and nothing is sent; other admins go on."""
    statuses = [tester.post(f"{PROVIDERS}/ollama/test").status_code for _ in range(20)]
    local_servers.clear()
    refused = tester.post(f"{PROVIDERS}/ollama/test")
    verified = tester.put(CONFIG, params={"verify": True}, json={"provider": "ollama"})
    key = tester.put(f"{PROVIDERS}/vllm/key", params={"verify": True}, json={"api_key": KEY})
    assert statuses == [200] * 20
    assert (refused.status_code, refused.json()["code"]) == (429, "too_many_requests")
    assert 1 <= int(refused.headers["retry-after"]) <= 60
    assert (verified.status_code, key.status_code) == (429, 429)
    assert local_servers.requests == []
    assert outcome(service.client(subject="another tester"), "ollama")["ok"]


def state(service: Service) -> tuple[object, ...]:
    """Return all that a switch could change: revision, active choice, rows of the database."""
    inventory = service.inventory()
    dumped = service.stored.dump()
    # Written at any time: heartbeats, earlier findings, and what earlier calls used.
    beside = {"llm_instances", "llm_learned", "llm_usage"}
    rows = {table: dumped[table] for table in dumped.keys() - beside if "audit" not in table}
    return inventory["revision"], inventory["fingerprint"], inventory["active"], rows


@pytest.mark.parametrize("code", CODES)
def test_verified_switch_that_fails_changes_nothing(
    service: Service, hosted: VendorServer, tester: httpx.Client, code: str
) -> None:
    """The answer is the test's code; revision, rows, key and active choice are what they were."""
    before = state(service)
    hosted.faults.set(CODES[code])
    body = {"provider": "anthropic", "model": "other", "api_key": VENDOR_KEYS["anthropic"]}
    answer = tester.put(CONFIG, params={"verify": True}, json=body)
    assert (answer.status_code, answer.json()["code"]) == (502, code)
    assert state(service) == before


@pytest.mark.parametrize("code", ["auth_failed", "unreachable"])
def test_verified_key_that_fails_changes_nothing(
    service: Service, hosted: VendorServer, tester: httpx.Client, code: str
) -> None:
    """The answer is the test's code, and repeats no key; the old key stays in force."""
    keyed(service, "deepseek")
    before = service.row("deepseek"), service.stored.dump()["llm_provider_credentials"]
    hosted.faults.set(CODES[code])
    answer = tester.put(
        f"{PROVIDERS}/deepseek/key", params={"verify": True}, json={"api_key": REFUSED_KEY}
    )
    assert (answer.status_code, answer.json()["code"]) == (502, code)
    assert REFUSED_KEY not in answer.text + service.output
    after = service.row("deepseek"), service.stored.dump()["llm_provider_credentials"]
    assert after == before


def test_verified_switch_that_passes_switches(
    service: Service, hosted: VendorServer, tester: httpx.Client
) -> None:
    """What was tested is what is active then, and the next chat goes there."""
    revision = service.inventory()["revision"]
    body = {"provider": "anthropic", "model": "other", "api_key": VENDOR_KEYS["anthropic"]}
    answer = tester.put(CONFIG, params={"verify": True}, json=body)
    assert (answer.status_code, answer.json()["revision"]) == (200, revision + 1)
    assert answer.json()["active"]["backend"] == "anthropic"
    assert service.client("analyst").post("/chat", json=asked()).json()["model"] == "other"
    assert {request.body["model"] for request in hosted.requests if request.body} == {"other"}


def test_verified_switch_tests_what_it_would_lead_to(
    service: Service, hosted: VendorServer, tester: httpx.Client
) -> None:
    """Not what is in force: the model, the base URL and the key of the body are sent."""
    keyed(service, "openai")
    body = {"provider": "openai", "model": "m-2", "base_url": hosted.url, "api_key": KEY}
    assert tester.put(CONFIG, params={"verify": True}, json=body).status_code == 200
    assert {request.host for request in hosted.requests} == {hosted.url.removeprefix("http://")}
    assert {request.body["model"] for request in hosted.requests if request.body} == {"m-2"}


@pytest.mark.parametrize("passes", [True, False], ids=["passes", "fails"])
def test_verification_is_audited(
    service: Service,
    hosted: VendorServer,
    passes: bool,  # noqa: FBT001 - a row of the table
) -> None:
    """The two entries of a test, and the change's only where there is one."""
    actor = f"verifier-{passes}"
    hosted.faults.set(Fault() if passes else CODES["auth_failed"])
    body = {"provider": "anthropic", "api_key": VENDOR_KEYS["anthropic"]}
    service.client(subject=actor).put(CONFIG, params={"verify": True}, json=body)
    actions = [entry["action"] for entry in reversed(service.entries(actor=actor))]
    changed = ["llm.config.changed"] if passes else []
    assert actions == ["llm.test.started", "llm.test.finished", *changed]


@pytest.mark.parametrize("matched", [True, False], ids=["If-Match", "without"])
def test_verified_switch_that_was_overtaken_is_refused(
    service: Service,
    hosted: VendorServer,
    tester: httpx.Client,
    matched: bool,  # noqa: FBT001 - a row of the table
) -> None:
    """What was tested holds for the revision it was tested on: 412, and the other one stands."""
    revision, gate = service.inventory()["revision"], threading.Event()
    hosted.faults.set(Fault(gate=gate))
    body = {"provider": "anthropic", "api_key": VENDOR_KEYS["anthropic"]}
    options: dict[str, Any] = {"params": {"verify": True}, "json": body}
    if matched:
        options["headers"] = {"If-Match": f'"{revision}"'}
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(tester.put, CONFIG, **options)
        until(lambda: hosted.requests)
        overtaking = service.client().put(CONFIG, json={"provider": "ollama"})
        gate.set()
        answer = waiting.result(60)
    assert overtaking.status_code == 200
    assert (answer.status_code, answer.json()["code"]) == (412, "revision_mismatch")
    inventory = service.inventory()
    assert (inventory["revision"], inventory["active"]["backend"]) == (revision + 1, "ollama")
    assert service.row("anthropic")["key_present"] is False


def test_stale_if_match_is_refused_before_anything_is_tested(
    service: Service, hosted: VendorServer, tester: httpx.Client
) -> None:
    """A test costs money; this one could not lead anywhere."""
    stale = {"If-Match": f'"{service.inventory()["revision"] + 7}"'}
    body = {"provider": "anthropic", "api_key": VENDOR_KEYS["anthropic"]}
    answer = tester.put(CONFIG, params={"verify": True}, headers=stale, json=body)
    assert answer.status_code == 412
    assert hosted.requests == []


def test_verified_switch_that_fails_is_no_failure_of_what_is_in_force(
    service: Service, hosted: VendorServer, tester: httpx.Client
) -> None:
    """A key that was refused and not taken says nothing of the one that is in use."""
    keyed(service, "gemini")
    service.client().put(CONFIG, json={"provider": "gemini"})
    service.client("analyst").post("/chat", json=asked())
    body = {"provider": "gemini", "api_key": "AIza-wrong-0123456789"}
    refused = tester.put(CONFIG, params={"verify": True}, json=body)
    assert (refused.status_code, len(hosted.requests)) == (502, 2)
    assert service.row("gemini")["last_error"] is None


@every_provider
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_answered_chat_is_seen_in_the_inventory(
    service: Service,
    provider: str,
    stream: bool,  # noqa: FBT001 - a row of the table
) -> None:
    """`last_ok_at` moves with production's calls, without any test."""
    keyed(service, provider)
    service.client().put(CONFIG, json={"provider": provider})
    before = service.row(provider)["last_ok_at"]
    assert service.client("analyst").post("/chat", json=asked(stream=stream)).status_code == 200
    row = service.row(provider)
    assert row["last_ok_at"] > (before or "")
    assert row["last_error"] is None


@every_hosted
def test_key_revoked_at_the_vendor_is_seen_without_a_test(
    service: Service, hosted: VendorServer, provider: str
) -> None:
    """The first chat that fails shows it, and the first that is answered ends it."""
    keyed(service, provider)
    service.client().put(CONFIG, json={"provider": provider})
    analyst = service.client("analyst")
    with hosted.faults.held(Fault(refusal=Refusal.BAD_KEY, echo_key=True)):
        analyst.post("/chat", json=asked())
    error = service.row(provider)["last_error"]
    assert (error["code"], bool(error["at"])) == ("auth_failed", True)
    assert VENDOR_KEYS[provider] not in str(error)
    analyst.post("/chat", json=asked())
    assert service.row(provider)["last_error"] is None


def test_failure_at_one_provider_is_not_another_ones(
    service: Service, hosted: VendorServer
) -> None:
    """Each row tells of its own provider."""
    for provider in ("openai", "anthropic"):
        keyed(service, provider)
        service.client().put(CONFIG, json={"provider": provider})
        with hosted.faults.held(CODES["quota_exceeded"] if provider == "openai" else Fault()):
            service.client("analyst").post("/chat", json=asked())
    assert service.row("openai")["last_error"]["code"] == "quota_exceeded"
    assert service.row("anthropic")["last_error"] is None


@pytest.mark.parametrize("code", CODES)
def test_chat_answers_the_same_codes_as_problems(
    service: Service, hosted: VendorServer, code: str
) -> None:
    """A problem document, and in a stream the same problem as its error event."""
    keyed(service, "deepseek")
    service.client().put(CONFIG, json={"provider": "deepseek"})
    hosted.faults.set(CODES[code])
    analyst = service.client("analyst")
    answer = analyst.post("/chat", json=asked())
    assert (answer.status_code, answer.json()["code"]) == (502, code)
    assert answer.headers["content-type"].startswith("application/problem+json")
    ((name, problem),) = events(analyst.post("/chat", json=asked(stream=True)).text)
    assert (name, problem) == ("error", answer.json())
