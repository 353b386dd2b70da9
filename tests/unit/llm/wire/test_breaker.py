"""When a provider is asked, and when it isn't: the breaker alone, with a clock of its own."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Barrier
from typing import Final

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    precondition,
    rule,
)

from aurorasoc.errors import (
    CALL_ERRORS,
    DECLINED,
    OF_MODEL,
    ModelCallError,
    ProviderRateLimited,
    ProviderUnreachable,
)
from aurorasoc.llm.wire.breaker import FAILURES, Breaker, Passage
from tests.examples import Stopwatch, reference

SAY_NOTHING: Final = sorted(
    code
    for code, leaf in CALL_ERRORS.items()
    if (leaf.of_request and not issubclass(leaf, DECLINED)) or code in OF_MODEL
)
SPEAK: Final = sorted(
    code for code, leaf in CALL_ERRORS.items() if not leaf.of_request and code not in OF_MODEL
)


def error(code: str = "unreachable", retry_after: float | None = None) -> ModelCallError:
    """Return a failure."""
    result = CALL_ERRORS[code]("It failed.", provider="vllm", model="m")
    result.retry_after = retry_after
    return result


class Guarded:
    """A breaker, with calls that pass it one after the other."""

    def __init__(self) -> None:
        self.stopwatch = Stopwatch()
        self.changes: list[str] = []
        self.breaker = Breaker(self.stopwatch, self.stopwatch.now_us, on_change=self._changed)
        self.reference = reference()

    def _changed(self) -> None:
        self.changes.append(self.breaker.state)

    def call(self) -> Passage:
        """Return a call that was just made."""
        passage = Passage(self.breaker, self.reference)
        self.breaker.require(passage)
        self.breaker.ask(passage)
        return passage

    def fail(self, failure: ModelCallError | None = None, times: int = 1) -> None:
        """Make calls that fail, one after the other."""
        for _ in range(times):
            with self.call() as passage:
                self.breaker.failed(passage, failure or error())

    def refusal(self) -> ModelCallError:
        """Return what the next call fails with, without being made."""
        with pytest.raises(ModelCallError) as refused:
            self.call()
        assert not refused.value.asked
        return refused.value

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.stopwatch.seconds += seconds


@pytest.fixture
def guarded() -> Guarded:
    """Return a closed breaker."""
    return Guarded()


@pytest.fixture
def opened(guarded: Guarded) -> Guarded:
    """Return one that has just opened."""
    guarded.fail(times=FAILURES)
    return guarded


def test_it_opens_with_the_last_of_the_failures_in_a_row(guarded: Guarded) -> None:
    """Not one before."""
    guarded.fail(times=FAILURES - 1)
    assert not guarded.changes
    guarded.fail()
    assert guarded.changes == ["open"]


def test_an_answer_in_between_starts_the_count_anew(guarded: Guarded) -> None:
    """In a row means in a row."""
    guarded.fail(times=FAILURES - 1)
    guarded.breaker.answered()
    guarded.fail(times=FAILURES - 1)
    assert guarded.breaker.state == "closed"


def test_a_call_fails_as_those_before_it_and_says_that_nothing_was_sent(opened: Guarded) -> None:
    """With the class of the last failure, how many there were, and when it is asked again."""
    opened.wait(2.5)
    refusal = opened.refusal()
    assert isinstance(refusal, ProviderUnreachable)
    assert (refusal.retry_after, refusal.provider) == (8, "vllm")
    assert refusal.detail == (
        "vllm was not asked: 5 requests in a row failed since 2027-01-15T08:16:40Z, the last with "
        "unreachable. It is asked again in 8 s."
    )


def test_calls_that_end_together_are_one_event(guarded: Guarded) -> None:
    """A proxy that restarts, or a process that was frozen, breaks all that is under way."""
    calls = [guarded.call() for _ in range(3 * FAILURES)]
    for passage in calls:
        guarded.breaker.failed(passage, error())
    assert not guarded.changes
    guarded.fail()
    assert guarded.changes == ["open"]


def test_failures_that_were_asked_before_the_last_answer_are_older_than_it(
    guarded: Guarded,
) -> None:
    """The provider was silent for a while, and answers: what timed out says nothing of now."""
    silent = [guarded.call() for _ in range(FAILURES)]
    guarded.fail(times=FAILURES - 1)
    guarded.breaker.answered()
    for passage in silent:
        guarded.breaker.failed(passage, error("timeout"))
    guarded.fail()
    assert guarded.breaker.state == "closed"


@pytest.mark.parametrize("code", SAY_NOTHING)
def test_failures_of_a_request_or_a_model_never_open_it(guarded: Guarded, code: str) -> None:
    """Another request, or another model at the same address, may be answered."""
    guarded.fail(error(code), times=10 * FAILURES)
    assert guarded.breaker.state == "closed"


@pytest.mark.parametrize("code", [leaf.code for leaf in DECLINED])
def test_a_model_that_declines_has_answered(opened: Guarded, code: str) -> None:
    """It closes the breaker."""
    opened.wait(10)
    opened.fail(error(code))
    assert opened.breaker.state == "closed"


@pytest.mark.parametrize("code", SPEAK)
def test_every_failure_of_the_provider_opens_it(guarded: Guarded, code: str) -> None:
    """And is what calls fail with."""
    guarded.fail(error(code), times=FAILURES)
    assert guarded.refusal().code == code


def test_one_call_asks_again_and_closes_it(opened: Guarded) -> None:
    """The others are refused until it has."""
    opened.wait(10)
    with opened.call():
        assert opened.refusal().detail.endswith("Another call asks it now.")
        opened.breaker.answered()
    opened.call()
    assert opened.breaker.state == "closed"


def test_each_failed_probe_doubles_the_time_up_to_two_minutes(opened: Guarded) -> None:
    """10, 20, 40, 80, 120, 120."""
    for seconds in (10, 20, 40, 80, 120, 120):
        assert opened.refusal().retry_after == seconds
        opened.wait(seconds)
        opened.fail()
    assert opened.breaker.counts.opened == 7


def test_an_answer_ends_the_doubling(opened: Guarded) -> None:
    """The next outage begins with ten seconds."""
    opened.wait(10)
    opened.fail()
    opened.breaker.answered()
    opened.fail(times=FAILURES)
    assert opened.refusal().retry_after == 10


@pytest.mark.parametrize(("asked", "followed"), [(0.0, 1), (45.0, 45), (7_200.0, 600)])
def test_retry_after_says_how_long_within_bounds(
    guarded: Guarded, asked: float, followed: int
) -> None:
    """The provider knows best, but neither never nor at once."""
    guarded.fail(error("rate_limited", asked), times=FAILURES)
    refusal = guarded.refusal()
    assert isinstance(refusal, ProviderRateLimited)
    assert refusal.retry_after == followed


def test_a_probe_that_ends_without_a_verdict_leaves_its_place(opened: Guarded) -> None:
    """Cancelled, refused by policy, or a prompt that was too long."""
    opened.wait(10)
    with opened.call():
        pass
    opened.fail(error("context_too_long"))
    assert opened.breaker.state == "probing"
    with opened.call():
        opened.refusal()


def test_a_streams_first_piece_closes_it_on_trial(opened: Guarded) -> None:
    """Others needn't wait for its end; but if it breaks, the time is doubled."""
    opened.wait(10)
    with opened.call() as stream:
        opened.breaker.began(stream)
        opened.call()
        opened.breaker.failed(stream, error())
    assert opened.refusal().retry_after == 20


def test_a_call_made_before_it_opened_closes_it_if_it_is_answered(guarded: Guarded) -> None:
    """Any answer shows that the provider is there."""
    early = guarded.call()
    guarded.fail(times=FAILURES)
    guarded.breaker.failed(early, error())
    assert guarded.refusal().retry_after == 10
    guarded.breaker.answered()
    assert guarded.breaker.state == "closed"


def test_an_admins_test_is_made_whatever_it_says(opened: Guarded) -> None:
    """And takes no other call's place."""
    test = Passage(opened.breaker, opened.reference, forced=True)
    opened.breaker.require(test)
    opened.breaker.ask(test)
    opened.breaker.failed(test, error())
    assert opened.refusal().retry_after == 10


def test_calls_that_are_not_made_are_counted_apart(opened: Guarded) -> None:
    """They are no calls."""
    opened.refusal()
    opened.refusal()
    assert (opened.breaker.counts.not_asked, opened.breaker.counts.opened) == (2, 1)


def test_one_of_many_threads_asks_again(opened: Guarded) -> None:
    """Whichever comes first."""
    opened.wait(10)
    together = Barrier(8)

    def ask() -> bool:
        together.wait()
        with suppress(ModelCallError):
            opened.breaker.ask(Passage(opened.breaker, opened.reference))
            return True
        return False

    with ThreadPoolExecutor(8) as threads:
        assert sum(one.result() for one in [threads.submit(ask) for _ in range(8)]) == 1


class Calls(RuleBasedStateMachine):
    """Any calls, in any order and number, with any end and any time in between."""

    under_way = Bundle("under_way")

    def __init__(self) -> None:
        super().__init__()
        self.stopwatch = Stopwatch()
        self.breaker = Breaker(self.stopwatch, self.stopwatch.now_us)
        self.probing: set[Passage] = set()
        self.in_a_row = 0
        self.reference = reference()

    @rule(target=under_way)
    def call(self) -> Passage:
        """Make one, or have it refused."""
        before, passage = self.breaker.state, Passage(self.breaker, self.reference)
        with suppress(ModelCallError):
            self.breaker.ask(passage)
            assert before != "open"
            if before == "probing":
                self.probing.add(passage)
            return passage
        assert before != "closed"
        return passage

    @rule(passage=consumes(under_way))
    def answer(self, passage: Passage) -> None:
        """Answer one: nothing is refused any more."""
        self.in_a_row = 0
        self.probing.clear()
        self.breaker.answered()
        self.breaker.left(passage)
        assert self.breaker.state == "closed"

    @rule(passage=consumes(under_way), code=st.sampled_from(SPEAK))
    def fail(self, passage: Passage, code: str) -> None:
        """Fail for a reason of the provider."""
        self.in_a_row += 1
        self.probing.discard(passage)
        self.breaker.failed(passage, error(code))

    @rule(passage=consumes(under_way), code=st.sampled_from(SAY_NOTHING))
    def refuse(self, passage: Passage, code: str) -> None:
        """Fail for a reason of the request or the model: it changes nothing but a probe."""
        before = self.breaker.state
        self.probing.discard(passage)
        self.breaker.failed(passage, error(code))
        assert self.breaker.state == before

    @rule(passage=consumes(under_way))
    def leave(self, passage: Passage) -> None:
        """Cancel one."""
        self.probing.discard(passage)
        self.breaker.left(passage)

    @rule(passage=under_way)
    def begin(self, passage: Passage) -> None:
        """Stream a first piece."""
        if passage in self.probing:
            self.probing.clear()
        self.breaker.began(passage)

    @precondition(lambda self: self.breaker.state == "open")
    @rule(seconds=st.sampled_from([1.0, 10.0, 120.0]))
    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.stopwatch.seconds += seconds

    @invariant()
    def one_probes_at_most(self) -> None:
        """At any time."""
        assert len(self.probing) <= 1

    @invariant()
    def it_is_never_open_without_failures(self) -> None:
        """As many as it takes, none answered in between."""
        assert self.breaker.opening is None or self.in_a_row >= FAILURES

    @invariant()
    def it_never_stays_open_for_longer_than_it_may(self) -> None:
        """Without `Retry-After`: two minutes."""
        opening = self.breaker.opening
        assert opening is None or opening.until - self.stopwatch.seconds <= 120


TestCalls = Calls.TestCase
