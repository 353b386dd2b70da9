"""A prompt fits its model's window by a bound that holds, says what it left out, and is fenced."""

import hashlib
from dataclasses import replace
from typing import Final

import pytest

from aurorasoc.config.call_options import CallOptions
from aurorasoc.errors import ContextTooLong
from aurorasoc.llm.wire.windows.known import ContextWindow
from aurorasoc.llm.wire.windows.token_bounds import most_tokens, tokens_of_sentences
from aurorasoc.workflows.investigation.alert import parse_alert
from aurorasoc.workflows.investigation.evidence import MAX_EVIDENCE, Evidence, whole_evidence
from aurorasoc.workflows.investigation.fence import fence_for
from aurorasoc.workflows.investigation.fitting import (
    LEAST_ANSWER,
    FittedPrompt,
    fits_any_window,
    fitted,
)
from aurorasoc.workflows.investigation.prompts import (
    Draft,
    ask_for_conclusion,
    ask_for_plan,
    ask_specialist,
)
from aurorasoc.workflows.investigation.schemas import Examination, Finding
from tests.examples import reference
from tests.world.investigation import EVE
from tests.world.small_window import tokens_of

FENCE: Final = fence_for([])
INSTRUCTIONS: Final = "You lead the investigation of security alerts. " * 12
FINDING: Final = Finding(title="a" * 80, evidence="0123456789abcdef" * 7)
EXAMINED: Final = {
    name: Examination(findings=[FINDING] * 2, techniques=["T1505.003"])
    for name in ("threat-hunter", "malware-analyst", "network-security")
}
DRAFTS: Final = {
    "plan": ask_for_plan(FENCE),
    "specialist": ask_specialist(FENCE, "Which hosts answered, and to whom?"),
    "report": ask_for_conclusion(FENCE, EXAMINED, ["threat-intel"]),
}
HASHES: Final = {"hashes": [hashlib.sha256(bytes([n])).hexdigest() for n in range(100)]}
every_draft = pytest.mark.parametrize("draft", DRAFTS.values(), ids=DRAFTS)


def evidence(document: object = HASHES) -> Evidence:
    """Return an alert's evidence; by default it has 100 hashes."""
    return whole_evidence(parse_alert(document))


def fit(draft: Draft, window: int | None, shown: Evidence) -> FittedPrompt:
    """Fit a prompt to a window."""
    known = None if window is None else ContextWindow(window, "server")
    return fitted(draft, shown, INSTRUCTIONS, reference(), known)


@every_draft
@pytest.mark.parametrize("window", [4096, 6000, 8192])
def test_prompt_and_answer_fit_the_window(draft: Draft, window: int) -> None:
    """Hashes in the alert and full-sized findings: what is sent leaves room for the answer."""
    prompt = fit(draft, window, evidence())
    sent = len(tokens_of(INSTRUCTIONS)) + len(tokens_of(prompt.text))
    assert sent + max(LEAST_ANSWER, window // 4) <= window


@pytest.mark.parametrize("bound", [1200, 3000, 100_000])
def test_room_is_kept_for_the_answer_that_a_connection_allows(bound: int) -> None:
    """Its bound is sent with the prompt, half of the window at most: servers refuse more."""
    place = replace(reference(), options=CallOptions(max_output_tokens=bound))
    draft, window = DRAFTS["plan"], ContextWindow(8192, "server")
    prompt = fitted(draft, evidence(), INSTRUCTIONS, place, window)
    sent = len(tokens_of(INSTRUCTIONS)) + len(tokens_of(prompt.text))
    assert sent + min(bound, 4096) <= 8192


def test_prompt_with_a_connections_bound_needs_the_window() -> None:
    """The bound may be more than a small window holds."""
    place = replace(reference(), options=CallOptions(max_output_tokens=100))
    assert not fits_any_window(DRAFTS["plan"], evidence({"a": "b"}), INSTRUCTIONS, place)


@every_draft
def test_what_is_left_out_is_said_outside_of_the_fence(draft: Draft) -> None:
    """Before the evidence and behind it; an alert can't forge it, nor hide it."""
    prompt = fit(draft, 4096, evidence())
    assert prompt.left_out > 0
    before, _, rest = prompt.text.partition(f"<{FENCE.boundary}>\n")
    behind = rest.rpartition(f"\n</{FENCE.boundary}>\n")[2]
    said = f"its last {prompt.left_out} characters are not shown"
    assert said in before
    assert said in behind


@every_draft
@pytest.mark.parametrize("window", [4096, None])
def test_task_and_rule_stand_before_the_evidence_and_behind_it(
    draft: Draft, window: int | None
) -> None:
    """Whichever end a server cuts, the model knows what is asked and what is evidence."""
    text = fit(draft, window, evidence()).text
    assert text.startswith(draft.task)
    assert text.endswith(f"{FENCE.rule}\n\n{draft.task}")
    assert text.index(FENCE.rule) < text.index(f"<{FENCE.boundary}>\n")


@every_draft
@pytest.mark.parametrize("window", [16_384, None])
def test_a_small_alert_is_shown_whole(draft: Draft, window: int | None) -> None:
    """Nothing is said to be missing."""
    shown = evidence(EVE)
    prompt = fit(draft, window, shown)
    assert shown.text in prompt.text
    assert "not shown" not in prompt.text
    assert prompt.left_out == 0


def test_without_a_known_window_the_limit_of_prompts_holds() -> None:
    """What that leaves out is counted as well."""
    prompt = fit(DRAFTS["plan"], None, evidence())
    assert prompt.left_out == len(evidence().text) - MAX_EVIDENCE > 0


def test_a_larger_window_shows_more() -> None:
    """Evidence gives way to the window alone."""
    smaller, larger = (fit(DRAFTS["plan"], window, evidence()) for window in (4096, 5000))
    assert larger.left_out < smaller.left_out


@every_draft
def test_a_window_without_room_for_evidence_is_refused_before_anything_is_sent(
    draft: Draft,
) -> None:
    """The error says what the model holds and what is needed."""
    with pytest.raises(ContextTooLong) as caught:
        fit(draft, 1024, evidence())
    assert caught.value.context_window == 1024
    assert "holds 1024 tokens" in caught.value.detail
    assert "Nothing was sent" in caught.value.detail


@every_draft
def test_only_a_prompt_with_room_everywhere_needs_no_window(draft: Draft) -> None:
    """A short alert fits the smallest window of all; hashes don't."""
    short = evidence({"title": "Ten failed logins"})
    assert fits_any_window(draft, short, INSTRUCTIONS, reference())
    assert not fits_any_window(draft, evidence(), INSTRUCTIONS, reference())


@every_draft
def test_the_bound_of_a_draft_holds(draft: Draft) -> None:
    """Our sentences by their own bound, what models wrote by that of dense text."""
    assert len(tokens_of(draft.prompt(""))) <= draft.most_tokens
    assert (
        draft.most_tokens
        <= tokens_of_sentences(draft.prompt("")) + sum(map(most_tokens, draft.others)) + 200
    )
