"""Twenty tests in any minute, for each principal."""

from aurorasoc.api.rate_limit import TESTS_PER_MINUTE, Tests, note_test


def _used_up(at: float) -> Tests:
    tests = Tests()
    assert [note_test(tests, "ada", at) for _ in range(TESTS_PER_MINUTE)] == [0] * TESTS_PER_MINUTE
    return tests


def test_one_more_than_twenty_waits_for_the_rest_of_the_minute() -> None:
    """Rounded up: whoever comes back then is served."""
    tests = _used_up(at=100)
    assert note_test(tests, "ada", now=100.5) == 60
    assert note_test(tests, "ada", now=159.9) == 1
    assert note_test(tests, "ada", now=160) == 0


def test_a_refused_test_does_not_count() -> None:
    """Asking again and again doesn't lengthen the wait."""
    tests = _used_up(at=100)
    assert [note_test(tests, "ada", now=101) for _ in range(50)] == [59] * 50
    assert note_test(tests, "ada", now=160) == 0


def test_the_window_moves() -> None:
    """Nineteen at the end of a minute leave one for the beginning of the next."""
    tests = Tests()
    for now in (100.0, *[159.0] * 19):
        assert note_test(tests, "ada", now) == 0
    assert note_test(tests, "ada", now=160) == 0
    assert note_test(tests, "ada", now=161) == 58


def test_principals_do_not_share_a_window() -> None:
    """One who tests a lot hinders nobody."""
    assert note_test(_used_up(at=100), "bob", now=101) == 0


def test_what_is_over_is_forgotten() -> None:
    """Memory holds one minute's tests only."""
    tests = _used_up(at=100)
    note_test(tests, "bob", now=160)
    assert list(tests) == [(160, "bob")]
