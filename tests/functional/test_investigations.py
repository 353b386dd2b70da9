"""Investigations over REST: from an alert to its report."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from tests.world.fixtures import VENDOR_KEYS
from tests.world.investigation import EVE, OCSF_2001, OCSF_2004, PLAIN, TEAM, Script, playing
from tests.world.service import CONFIG, Service, events
from tests.world.vendor import Fault, VendorServer

CALL: Final = "/investigations"
JSON: Final = {"Content-Type": "application/json"}
FINAL: Final = {"completed", "failed", "interrupted"}


@pytest.fixture
def script(hosted: VendorServer, local_servers: VendorServer) -> Iterator[Script]:
    """Let every vendor play an investigation."""
    with playing(Script(), hosted, local_servers) as played:
        yield played


@pytest.fixture
def service(service: Service, script: Script) -> Iterator[Service]:
    """Yield the shared service; what a test leaves running ends before the next one begins."""
    del script  # plays on until then
    yield service

    def newest() -> dict[str, Any]:
        return dict(service.client().get(CALL).json())

    when(newest, lambda page: all(r["status"] in FINAL for r in page["investigations"]), 60)


@pytest.fixture
def analyst(service: Service) -> httpx.Client:
    """Return an analyst's client."""
    return service.client("analyst")


def opened(client: httpx.Client, alert: object = EVE, **fields: object) -> str:
    """Open an investigation and give its id."""
    answer = client.post(CALL, json={"alert": alert, **fields})
    assert answer.status_code == 202, answer.text
    assert answer.json()["status"] == "queued"
    return str(answer.json()["id"])


def over(client: httpx.Client, id_: str, seconds: float = 60) -> dict[str, Any]:
    """Wait for its end, and show it."""
    return when(lambda: read(client, id_), lambda current: current["status"] in FINAL, seconds)


def read(client: httpx.Client, id_: str) -> dict[str, Any]:
    """Show it as it is now."""
    answer = client.get(f"{CALL}/{id_}")
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def when(
    look: Callable[[], dict[str, Any]], right: Callable[[dict[str, Any]], bool], seconds: float
) -> dict[str, Any]:
    """Look until it is right, and give up loudly."""
    end = time.monotonic() + seconds
    while not right(value := look()):
        assert time.monotonic() < end, value
        time.sleep(0.05)
    return value


def reached(server: VendorServer, count: int) -> None:
    """Wait until a vendor was asked so often."""
    when(lambda: {"asked": len(server.requests)}, lambda current: current["asked"] >= count, 60)


@pytest.mark.soak
@pytest.mark.only_soak  # test_tour investigates on the real model in a plain run
def test_real_formats_end_to_end_on_the_real_local_model(
    local_model_url: str, tmp_path: Path
) -> None:
    """Every report field is filled, and the run stays local."""
    variables = {
        "LLM_VLLM_BASE_URL": f"{local_model_url}/v1",
        "LLM_VLLM_MODEL": "smollm2-135m-instruct",
        "LLM_TIMEOUT": "240",  # a machine that does much else meanwhile
    }
    with Service(tmp_path, variables) as service:
        client = service.client("analyst")
        for alert in (EVE, OCSF_2001):
            result = over(client, opened(client, alert, tlp="RED"), 280)
            assert result["status"] == "completed", result
            assert result["report"]["findings"]
            assert result["report"]["recommended_actions"]
            assert {(s["provider"], s["model"], s["tlp"]) for s in result["steps"]} == {
                ("vllm", "smollm2-135m-instruct", "RED")
            }
            assert all(s["usage"]["completion_tokens"] for s in result["steps"])


@pytest.mark.parametrize(
    "alert", [EVE, OCSF_2001, OCSF_2004, PLAIN, [EVE, PLAIN]], ids=lambda _: ""
)
def test_real_formats_end_to_end_through_a_hosted_vendor(
    service: Service, script: Script, hosted: VendorServer, alert: object
) -> None:
    """Under its own host name, over TLS, with who answered recorded in every step."""
    key = VENDOR_KEYS["openai"]
    service.client().put(CONFIG, json={"provider": "openai", "api_key": key})
    client = service.client("analyst")
    result = over(client, opened(client, alert, tlp="GREEN"))
    assert result["status"] == "completed"
    assert result["alert"] == alert
    revision = service.inventory()["revision"]
    assert {(s["provider"], s["model"], s["revision"], s["tlp"]) for s in result["steps"]} == {
        ("openai", "gpt-4o", revision, "GREEN")
    }
    assert len(hosted.requests) == len(script.asked) == len(TEAM) + 2


@pytest.mark.parametrize("provider", ["deepseek", "anthropic", "gemini"])
def test_every_hosted_vendor_can_be_asked(service: Service, script: Script, provider: str) -> None:
    """Whether it takes a JSON schema, changes it, or takes none."""
    del script
    body = {"provider": provider, "api_key": VENDOR_KEYS[provider]}
    assert service.client().put(CONFIG, json=body).is_success
    client = service.client("analyst")
    result = over(client, opened(client))
    assert result["status"] == "completed", result
    assert {step["provider"] for step in result["steps"]} == {provider}


def test_provenance_is_of_who_really_answered_after_a_reroute(
    service: Service, script: Script, hosted: VendorServer
) -> None:
    """A hosted provider is active, and the label leads to the local one."""
    del script
    key = VENDOR_KEYS["openai"]
    service.client().put(CONFIG, json={"provider": "openai", "api_key": key})
    client = service.client("analyst")
    result = over(client, opened(client, tlp="RED"))
    assert {s["provider"] for s in result["steps"]} == {"vllm"}
    assert hosted.requests == []


def test_progress_comes_as_events(analyst: httpx.Client) -> None:
    """What is there, each change, and at last all of it."""
    id_ = opened(analyst)
    answer = analyst.get(f"{CALL}/{id_}/events")
    assert answer.headers["content-type"].startswith("text/event-stream")
    received = events(answer.text)
    assert {name for name, _ in received[:-1]} <= {"status", "step"}
    assert received[-1] == ("done", read(analyst, id_))
    ended = {d["position"] for name, d in received if name == "step" and d["status"] == "completed"}
    assert ended == {0, 1, 2, 3}


def test_events_of_what_is_over_end_at_once(analyst: httpx.Client) -> None:
    """Whoever comes late reads the same."""
    id_ = opened(analyst)
    over(analyst, id_)
    received = events(analyst.get(f"{CALL}/{id_}/events").text)
    assert [name for name, _ in received] == ["step", "step", "step", "step", "status", "done"]


def test_it_can_be_read_while_it_runs(
    analyst: httpx.Client, script: Script, local_servers: VendorServer
) -> None:
    """The plan is there, the specialists are at work, the report isn't."""
    gate = threading.Event()
    script.then["plan"] = lambda: local_servers.faults.set(Fault(gate=gate))
    id_ = opened(analyst)
    reached(local_servers, 3)
    result = read(analyst, id_)
    assert (result["status"], result["report"]) == ("running", None)
    assert result["steps"][0]["result"]["specialists"][0]["agent"] == TEAM[0]
    assert [step["status"] for step in result["steps"][1:]] == ["running", "running", "queued"]
    gate.set()
    assert over(analyst, id_)["status"] == "completed"


def test_one_failed_specialist_is_reported(analyst: httpx.Client, script: Script) -> None:
    """And the others' work stands."""
    script.failing = {TEAM[0]}
    result = over(analyst, opened(analyst))
    assert result["status"] == "completed"
    assert result["report"]["failed_specialists"] == [{"agent": TEAM[0], "code": "bad_response"}]
    assert result["steps"][1]["failure"]["code"] == "bad_response"


def test_an_own_title_wins(analyst: httpx.Client) -> None:
    """Over the alert's."""
    assert read(analyst, opened(analyst, title=" Case\n7\0 "))["title"] == "Case 7"


def test_a_title_of_nothing_visible_gives_way(analyst: httpx.Client) -> None:
    """To the alert's own."""
    assert read(analyst, opened(analyst, PLAIN, title="\0\u202e"))["title"] == PLAIN["title"]


def test_a_model_that_writes_controls_does_no_harm(analyst: httpx.Client, script: Script) -> None:
    """PostgreSQL stores no NUL in a text."""
    script.plan["specialists"][0]["question"] = "What\0 now?"
    result = over(analyst, opened(analyst))
    assert (result["status"], result["steps"][1]["question"]) == ("completed", "What now?")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"alert": None},
        {"alert": "CANARY"},
        {"alert": []},
        {"alert": {}},
        {"alert": PLAIN, "tlp": "CANARY"},
        {"alert": PLAIN, "title": ""},
        {"alert": PLAIN, "CANARY": 1},
    ],
    ids=str,
)
def test_what_is_no_alert_is_a_clear_problem(
    analyst: httpx.Client, body: dict[str, object]
) -> None:
    """422, in our words alone."""
    answer = analyst.post(CALL, json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_input")
    assert "CANARY" not in answer.text


def test_an_alert_with_an_infinite_number_is_refused(analyst: httpx.Client) -> None:
    """Python reads it, and JSON doesn't have it."""
    answer = analyst.post(CALL, content=b'{"alert": {"a": Infinity}}', headers=JSON)
    assert answer.status_code == 422
    assert "Infinity" in answer.json()["detail"]


def test_a_lone_surrogate_does_no_harm(analyst: httpx.Client) -> None:
    """It can be written in JSON, and nowhere else."""
    answer = analyst.post(CALL, content=rb'{"alert": {"title": "a\ud800b"}}', headers=JSON)
    assert read(analyst, answer.json()["id"])["title"] == "a\ufffdb"


@pytest.mark.parametrize("call", ["GET", "GET events", "POST resume"])
def test_what_is_not_there_is_a_404(analyst: httpx.Client, call: str) -> None:
    """Whatever is asked of it."""
    method, _, rest = call.partition(" ")
    answer = analyst.request(method, f"{CALL}/nothing{'/' if rest else ''}{rest}")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_above_amber_others_are_told_that_nothing_is_there(
    service: Service, script: Script
) -> None:
    """Neither by reading nor by listing; the creator and admins see it."""
    del script
    mine, others = (service.client("analyst", subject=name) for name in ("mine", "others"))
    id_ = opened(mine, tlp="RED")
    over(mine, id_)
    for path in (f"{CALL}/{id_}", f"{CALL}/{id_}/events"):
        assert others.get(path).status_code == 404
    assert others.post(f"{CALL}/{id_}/resume").status_code == 404
    assert others.get(CALL, params={"before": id_}).status_code == 404

    def listed(client: httpx.Client) -> bool:
        return any(row["id"] == id_ for row in client.get(CALL).json()["investigations"])

    assert [listed(client) for client in (mine, service.client(), others)] == [True, True, False]


def test_lists_go_from_page_to_page_newest_first(analyst: httpx.Client) -> None:
    """Until there is no next one."""
    ids = [opened(analyst, PLAIN) for _ in range(3)]
    first = analyst.get(CALL, params={"limit": 2}).json()
    assert [row["id"] for row in first["investigations"]] == ids[:0:-1]
    rest = analyst.get(CALL, params={"limit": 2, "before": first["next_before"]}).json()
    assert rest["investigations"][0]["id"] == ids[0]
    for id_ in ids:
        over(analyst, id_)


def test_a_refused_label_is_a_problem_at_once(service: Service, script: Script) -> None:
    """403, an audit entry, and nothing stored."""
    away = {"provider": "ollama", "base_url": "http://192.0.2.1:9"}
    service.client().put(CONFIG, json=away)
    client = service.client("analyst", subject="refused-analyst")
    answer = client.post(CALL, json={"alert": EVE, "tlp": "RED"})
    assert (answer.status_code, answer.json()["code"]) == (403, "tlp_refused")
    (entry,) = service.entries(action="tlp.refused", actor="refused-analyst")
    assert (entry["target"], entry["details"]["tlp"]) == ("investigations", "RED")
    assert script.asked == []


def test_events_tell_of_a_step_before_the_end(analyst: httpx.Client) -> None:
    """It begins before its steps and ends after them; nothing is said while nothing happens."""
    text = analyst.get(f"{CALL}/{opened(analyst)}/events").text
    received = [(name, data["status"]) for name, data in events(text)]
    assert received[0][0] == "status"
    assert received[-3:] == [("step", "completed"), ("status", "completed"), ("done", "completed")]
    assert "still here" not in text


def test_two_resumes_over_rest_have_one_winner(analyst: httpx.Client, script: Script) -> None:
    """The other is told 409."""
    good, script.concluded = script.concluded, {"verdict": "?"}
    id_ = opened(analyst)
    assert over(analyst, id_)["status"] == "failed"
    script.concluded = good
    codes = [analyst.post(f"{CALL}/{id_}/resume").status_code for _ in range(2)]
    assert codes == [202, 409]
    assert over(analyst, id_)["status"] == "completed"
