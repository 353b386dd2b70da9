"""What of an alert goes into prompts."""

import base64
import json
from typing import Any

import pytest

from aurorasoc.workflows.investigation.alert import parse_alert
from aurorasoc.workflows.investigation.evidence import MAX_EVIDENCE, stands_in, whole_evidence
from tests.world.investigation import EVE, OCSF_2001, OCSF_2004, PLAIN


def shown(document: object) -> str:
    """Return an alert's evidence as a model with room for it sees it."""
    return whole_evidence(parse_alert(document)).shown()


def read(document: object) -> dict[str, Any]:
    """Return the evidence of an alert, parsed again."""
    parsed: dict[str, Any] = json.loads(shown(document))
    return parsed


def test_bytes_that_no_model_reads_are_left_out() -> None:
    """A payload is there once, as text."""
    (record,) = read(EVE)["records"]
    assert not {"packet", "packet_info", "payload"} & set(record)
    assert record["payload_printable"] == EVE["payload_printable"]


def test_a_payload_without_its_text_is_decoded() -> None:
    """EVE can be configured to write base64 only."""
    document = {**EVE, "payload": base64.b64encode(b"uid=0(root)").decode()}
    del document["payload_printable"]
    (record,) = read(document)["records"]
    assert record["payload_text"] == "uid=0(root)"


@pytest.mark.parametrize("payload", ["not base64 \u00e9", "abc", ""])
def test_a_payload_that_is_no_base64_is_shown_as_it_is(payload: str) -> None:
    """Nothing is dropped because it is malformed."""
    document = {"title": "a", "payload": payload}
    (record,) = read(document)["records"]
    assert record["payload_text"] == payload


def test_json_inside_a_text_is_unfolded() -> None:
    """OCSF's `raw_data` is often a record of its own."""
    (record,) = read(OCSF_2001)["records"]
    assert record["raw_data"]["hostname"] == "host7.example"


@pytest.mark.parametrize("raw", ["[" * 5_000, "{", "text", '{"a":' * 900 + "1" + "}" * 900])
def test_raw_data_that_cant_be_unfolded_stays_text(raw: str) -> None:
    """However it is nested."""
    (record,) = read({"title": "a", "raw_data": raw})["records"]
    assert isinstance(record["raw_data"], str)


@pytest.mark.parametrize("number", ["NaN", "-Infinity", "1e999"])
def test_raw_data_with_a_number_that_json_lacks_stays_text(number: str) -> None:
    """Python reads it; whoever writes an alert must not end its investigation by that."""
    (record,) = read({"title": "a", "raw_data": f'{{"a": {number}}}'})["records"]
    assert record["raw_data"] == f'{{"a": {number}}}'


def test_a_lone_surrogate_in_raw_data_is_replaced() -> None:
    """As it is outside."""
    (record,) = read({"title": "a", "raw_data": r'{"a": "b\ud800"}'})["records"]
    assert record["raw_data"] == {"a": "b?"}


def test_unknown_fields_reach_the_model() -> None:
    """They may be what matters."""
    assert read(EVE)["records"][0]["site_tag"] == "kept though unknown"


def test_a_long_text_is_cut_and_says_so() -> None:
    """A reader knows that something is missing."""
    (record,) = read({"title": "a", "body": "x" * 900})["records"]
    assert record["body"].endswith("(cut: 400 more characters)")


def test_evidence_is_bounded() -> None:
    """Whatever the alert, a small model's context holds it."""
    many = {f"field{n}": "x" * 100 for n in range(1_000)}
    evidence = shown(many)
    assert len(evidence) < MAX_EVIDENCE + 50
    assert "more characters)" in evidence[-40:]


@pytest.mark.parametrize("document", [EVE, OCSF_2001, OCSF_2004, PLAIN])
def test_usual_alerts_are_well_within_a_small_models_reach(document: dict[str, Any]) -> None:
    """About three characters a token."""
    assert len(shown(document)) < 1_500


@pytest.mark.parametrize(
    "quoted", ["uid=0(root)", "UID=0(ROOT)", "shop.example", "1000017", '"proto": "TCP"']
)
def test_a_quotation_is_found_whatever_its_case(quoted: str) -> None:
    """What a model copied from the alert."""
    assert stands_in(shown(EVE), quoted)


@pytest.mark.parametrize("quoted", ["uid=1000(www)", "", "   "])
def test_an_invention_is_not_found(quoted: str) -> None:
    """What it made up, or nothing."""
    assert not stands_in(shown(EVE), quoted)
