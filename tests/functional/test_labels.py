"""A label that no backend at hand may serve: refused over REST, and written down."""

import pytest

from tests.world.service import Service, asked, events

OUTSIDE = "http://192.0.2.1:9"
"""Documentation's own network (RFC 5737): not local, and nobody is there."""


def refuse_red(service: Service) -> None:
    """Make an Ollama outside the local networks the backend that RED would have to go to."""
    body = {"provider": "ollama", "base_url": OUTSIDE}
    assert service.client().put("/system/llm/config", json=body).is_success


def test_refused_label_is_a_problem_that_names_the_rule(service: Service) -> None:
    """403 `tlp_refused`, and the setting that would have to change."""
    refuse_red(service)
    answer = service.client("analyst").post("/chat", json=asked(tlp="RED"))
    assert (answer.status_code, answer.json()["code"]) == (403, "tlp_refused")
    assert "LLM_LOCAL_NETWORKS" in answer.json()["detail"]


def test_refused_label_is_an_error_event_in_a_stream(service: Service) -> None:
    """The stream has begun by then: the same problem comes as its event."""
    refuse_red(service)
    answer = service.client("analyst").post("/chat", json=asked(tlp="RED", stream=True))
    ((name, problem),) = events(answer.text)
    assert (name, problem["code"]) == ("error", "tlp_refused")


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_refused_label_is_an_audit_entry(service: Service, *, stream: bool) -> None:
    """Who asked, where, and under which label."""
    refuse_red(service)
    subject = f"analyst-{stream}"
    service.client("analyst", subject=subject).post("/chat", json=asked(tlp="RED", stream=stream))
    (entry,) = service.entries(action="tlp.refused", actor=subject)
    assert (entry["target"], entry["details"]["tlp"]) == ("chat", "RED")


def test_missing_label_is_refused_where_one_is_required(service: Service) -> None:
    """`require_tlp` set at runtime holds for the next request."""
    assert service.client().put("/system/llm/policy", json={"require_tlp": True}).is_success
    try:
        answer = service.client("analyst").post("/chat", json=asked())
    finally:
        service.client().put("/system/llm/policy", json={"require_tlp": None})
    assert (answer.status_code, answer.json()["code"]) == (403, "tlp_refused")
