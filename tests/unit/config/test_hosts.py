"""Lists of hosts: each entry can match, or stops the boot."""

from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aurorasoc.config.hosts import comparable, hosts_of, is_host
from aurorasoc.granite.base_url import origin_of


@pytest.mark.parametrize(
    ("text", "hosts"),
    [
        ("Gateway.LAN", ("gateway.lan",)),
        (" a , b,, c ,", ("a", "b", "c")),
        ("gateway.lan.", ("gateway.lan",)),
        ("ollama_gpu,stack_vllm_1", ("ollama_gpu", "stack_vllm_1")),
        ("10.0.0.5,::1,[FD00:0::1]", ("10.0.0.5", "::1", "fd00::1")),
        ("xn--mnchen-3ya.example", ("xn--mnchen-3ya.example",)),
        ("", ()),
    ],
)
def test_entries_are_understood_however_they_are_written(text: str, hosts: tuple[str, ...]) -> None:
    """Case, blanks, final dots and brackets don't matter."""
    assert hosts_of(text) == hosts


@pytest.mark.parametrize(
    "entry",
    [
        "https://gateway.lan",
        "gateway.lan/",
        "gateway.lan/v1",
        "gateway.lan:8443",
        "[::1]:8000",
        "gateway lan",
        "a;b",
        "*",
        "*.lan",
        ".lan",
        "10.0.0.0/8",
        "127.1",
        "2130706433",
        "münchen.example",
        "user@gateway.lan",
        "fe80::1%eth0",
        '["a"]',
        "a..b",
        "a..",
        "-a",
        ".",
    ],
)
def test_an_entry_that_can_never_match_is_refused(entry: str) -> None:
    """The rule is named; the entry isn't repeated."""
    with pytest.raises(ValueError, match="host names or addresses, comma-separated"):
        hosts_of(f"good.example,{entry}")


@given(
    st.sampled_from(["gateway.lan", "ollama_gpu", "10.0.0.5", "[::1]", "[fd00:0:0::1]", "A.Lan."])
)
def test_an_entry_matches_the_host_of_a_base_url_in_the_same_words(host: str) -> None:
    """Both are compared in one form."""
    assert hosts_of(host) == (
        comparable(urlsplit(origin_of(f"http://{host}:8000")).hostname or ""),
    )


@given(st.text(alphabet="ab_-.:[]0x1F*/ ", max_size=12))
def test_whatever_is_accepted_is_a_host(text: str) -> None:
    """And stays the same, however often it is read."""
    try:
        hosts = hosts_of(text)
    except ValueError:
        return
    assert all(map(is_host, hosts))
    assert hosts_of(",".join(hosts)) == hosts
