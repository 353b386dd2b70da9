"""Base URLs: one spelling, one origin, and no second reading."""

from typing import Final

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from aurorasoc.config.vocabulary import ServingBackend
from aurorasoc.errors import InvalidInput
from aurorasoc.granite.base_url import called_url, normalise_base_url, origin_of
from aurorasoc.granite.catalog import CATALOG, ProviderSpec

TAKES_BASE_URL: Final = [spec for spec in CATALOG.values() if spec.base_url_support != "none"]
SPECS: Final = st.sampled_from(TAKES_BASE_URL)

NORMAL: Final = [
    ("openai", "https://gateway.example", "https://gateway.example/v1"),
    ("openai", "https://gateway.example/", "https://gateway.example/v1"),
    ("openai", "https://gateway.example/v1", "https://gateway.example/v1"),
    ("openai", "https://gateway.example/v1/", "https://gateway.example/v1"),
    ("openai", "https://gateway.example/openai/v1", "https://gateway.example/openai/v1"),
    ("openai", "https://gateway.example//openai//v2//", "https://gateway.example/openai/v2"),
    ("openai", "HTTPS://Gateway.Example:443/V1", "https://gateway.example/V1"),
    ("openai", "https://gateway.example:8443", "https://gateway.example:8443/v1"),
    ("openai", "https://gateway.example.", "https://gateway.example/v1"),
    ("openai", "  https://gateway.example/v1\n", "https://gateway.example/v1"),
    ("openai", "http://gateway.example:443", "http://gateway.example:443/v1"),
    ("openai", "https://gateway.example:08443", "https://gateway.example:8443/v1"),
    ("vllm", "http://localhost:8000", "http://localhost:8000/v1"),
    ("vllm", "http://localhost:8000/", "http://localhost:8000/v1"),
    ("vllm", "http://localhost:8000/v1", "http://localhost:8000/v1"),
    ("vllm", "http://[::1]:8000", "http://[::1]:8000/v1"),
    ("vllm", "http://[FD00::1]:80/v1/", "http://[fd00::1]/v1"),
    ("vllm", "http://[::ffff:10.0.0.1]/v1", "http://[::ffff:10.0.0.1]/v1"),
    ("vllm", "http://10.0.0.1:80", "http://10.0.0.1/v1"),
    ("deepseek", "https://api.deepseek.com", "https://api.deepseek.com"),
    ("deepseek", "https://api.deepseek.com/", "https://api.deepseek.com"),
    ("deepseek", "https://api.deepseek.com/v1", "https://api.deepseek.com/v1"),
    ("deepseek", "https://api.deepseek.com/beta/", "https://api.deepseek.com/beta"),
    ("anthropic", "https://api.anthropic.com", "https://api.anthropic.com"),
    ("anthropic", "https://api.anthropic.com/v1", "https://api.anthropic.com"),
    ("anthropic", "https://api.anthropic.com/v1/", "https://api.anthropic.com"),
    ("anthropic", "https://gw.example/claude/v1", "https://gw.example/claude"),
    ("anthropic", "https://gw.example/claude", "https://gw.example/claude"),
    ("ollama", "http://localhost:11434", "http://localhost:11434"),
    ("ollama", "http://localhost:11434/", "http://localhost:11434"),
    ("ollama", "http://localhost:11434/v1", "http://localhost:11434"),
    ("ollama", "http://localhost:11434/v1/", "http://localhost:11434"),
    ("ollama", "http://localhost:11434/v1/v1", "http://localhost:11434"),
    ("ollama", "http://ollama-1.lan:80", "http://ollama-1.lan"),
    ("ollama", "http://ollama_gpu:11434", "http://ollama_gpu:11434"),
    ("ollama", "http://Stack_ollama_1:11434/v1", "http://stack_ollama_1:11434"),
    ("vllm", "http://_vllm_.svc:8000", "http://_vllm_.svc:8000/v1"),
]

PASTED: Final = [
    ("openai", "https://gw.example/v1/chat/completions", "https://gw.example/v1"),
    ("openai", "https://gw.example/v1/chat/completions/", "https://gw.example/v1"),
    ("openai", "https://gw.example/chat/completions", "https://gw.example/v1"),
    ("openai", "https://gw.example/api/chat/completions", "https://gw.example/api"),
    ("openai", "https://openrouter.ai/api/v1/chat/completions", "https://openrouter.ai/api/v1"),
    ("openai", "https://gw.example/v1/responses", "https://gw.example/v1"),
    ("openai", "https://gw.example/v1/completions", "https://gw.example/v1"),
    ("openai", "https://gw.example/v1/models", "https://gw.example/v1"),
    ("openai", "https://gw.example/openai/v1/models/", "https://gw.example/openai/v1"),
    ("openai", "https://gw.example/models", "https://gw.example/models"),
    ("openai", "https://gw.example/chat/completions/v1", "https://gw.example/chat/completions/v1"),
    ("openai", "https://api.anthropic.com/v1/messages", "https://api.anthropic.com/v1"),
    (
        "openai",
        "https://generativelanguage.googleapis.com/v1beta/models/gemini-2.5-pro:generateContent",
        "https://generativelanguage.googleapis.com/v1beta/openai",
    ),
    (
        "openai",
        "https://gw.example/g/v1beta/models/gemini-2.5-pro:streamGenerateContent",
        "https://gw.example/g/v1beta/openai",
    ),
    ("openai", "https://r.openai.azure.com/", "https://r.openai.azure.com/openai/v1"),
    ("openai", "https://r.openai.azure.com/openai", "https://r.openai.azure.com/openai/v1"),
    (
        "openai",
        "https://r.services.ai.azure.com/openai/v1/chat/completions",
        "https://r.services.ai.azure.com/openai/v1",
    ),
    ("vllm", "http://gpu.lan:8000/v1/chat/completions", "http://gpu.lan:8000/v1"),
    ("vllm", "http://gpu.lan:11434/api/chat", "http://gpu.lan:11434/v1"),
    ("vllm", "http://gpu.lan:8000/vllm/v1/models", "http://gpu.lan:8000/vllm/v1"),
    ("deepseek", "https://api.deepseek.com/chat/completions", "https://api.deepseek.com"),
    ("deepseek", "https://api.deepseek.com/v1/chat/completions", "https://api.deepseek.com/v1"),
    ("deepseek", "https://api.deepseek.com/models", "https://api.deepseek.com"),
    ("anthropic", "https://api.anthropic.com/v1/messages", "https://api.anthropic.com"),
    ("anthropic", "https://api.anthropic.com/v1/models", "https://api.anthropic.com"),
    ("anthropic", "https://gw.example/anthropic/v1/messages", "https://gw.example/anthropic"),
    ("anthropic", "https://gw.example/v1/messages/count_tokens", "https://gw.example"),
    ("ollama", "http://localhost:11434/api/chat", "http://localhost:11434"),
    ("ollama", "http://localhost:11434/api/generate/", "http://localhost:11434"),
    ("ollama", "http://localhost:11434/api/tags", "http://localhost:11434"),
    ("ollama", "http://localhost:11434/api", "http://localhost:11434"),
    ("ollama", "http://localhost:11434/v1/chat/completions", "http://localhost:11434"),
    ("ollama", "http://localhost:11434/v1/models", "http://localhost:11434"),
    ("ollama", "https://gw.example/ollama/api/chat", "https://gw.example/ollama"),
]
"""What people paste instead of a base URL, and the base URL that it means."""

WITHOUT_SCHEME: Final = [
    ("openai", "api.openai.com", "https://api.openai.com/v1"),
    ("openai", " gw.example/v1/chat/completions ", "https://gw.example/v1"),
    ("openai", "gw.example:8443", "https://gw.example:8443/v1"),
    ("openai", "localhost:4000", "https://localhost:4000/v1"),
    ("openai", "R.openai.azure.com", "https://r.openai.azure.com/openai/v1"),
    ("anthropic", "api.anthropic.com/v1/messages", "https://api.anthropic.com"),
    ("ollama", "localhost", "http://localhost"),
    ("ollama", "localhost:11434/api/chat", "http://localhost:11434"),
    ("ollama", "10.0.0.5", "http://10.0.0.5"),
    ("ollama", "ollama.soc.example", "https://ollama.soc.example"),
    ("vllm", "gpu:8000", "http://gpu:8000/v1"),
    ("vllm", "[::1]:8000/v1", "http://[::1]:8000/v1"),
    ("vllm", "localhost.soc.example", "https://localhost.soc.example/v1"),
]
"""A host alone: HTTPS, but for a server of one's own as such servers are reached."""

CALLED: Final = [
    ("ollama", "localhost:11434", "http://localhost:11434/v1/chat/completions"),
    ("openai", "gw.example", "https://gw.example/v1/chat/completions"),
    ("anthropic", "api.anthropic.com", "https://api.anthropic.com/v1/messages"),
]

DATED_AZURE: Final = [
    "https://r.openai.azure.com/openai/v1?api-version=2024-10-21",
    "https://r.openai.azure.com/openai/deployments/d/chat/completions?api-version=2024-10-21",
    "https://r.openai.azure.com/openai/deployments/d",
    "https://r.services.ai.azure.com/models",
    "https://r.services.ai.azure.com/models/chat/completions",
    "https://gateway.example/azure/openai/deployments/d/chat/completions",
]

ORIGINS: Final = [
    ("https://API.OpenAI.com/v1", "https://api.openai.com:443"),
    ("http://localhost", "http://localhost:80"),
    ("http://localhost.:8000/v1", "http://localhost:8000"),
    ("https://[2001:DB8::1]/v1", "https://[2001:db8::1]:443"),
    ("https://h:65535", "https://h:65535"),
]

HOSTILE: Final = [
    # user information
    "https://user@evil.example/",
    "https://user:password@evil.example/",
    "https://api.openai.com@evil.example/",
    "https://api.openai.com:443@evil.example/",
    "https://@evil.example/",
    "https://:@evil.example/",
    # a backslash is a slash to browsers and none to us
    "http://evil.example\\@api.openai.com/",
    "https:\\\\evil.example\\",
    "https://api.openai.com\\.evil.example/",
    # not ASCII
    "https://\u0430pi.openai.com/",
    "https://api\u3002openai.com/",
    "https://\uff41pi.openai.com/",
    "https://api.openai.com\u200b/",
    "https://api.openai.com\uff0fevil/",
    "https://\u2100.example/",
    "https://h:\uff14\uff14\uff13/",
    "https://\u202eevil.example/",
    # escapes
    "https://api%2eopenai.com/",
    "https://api.openai.com%2f@evil.example/",
    "https://api.openai.com/%2e%2e/",
    "https://%31%32%37.0.0.1/",
    # numeric hosts that are not canonical addresses
    "http://2130706433/",
    "http://0x7f000001/",
    "http://017700000001/",
    "http://127.1/",
    "http://127.0.1/",
    "http://0x7f.0.0.1/",
    "http://0177.0.0.1/",
    "http://127.0.0.1.1/",
    "http://256.0.0.1/",
    "http://127.0.0.1./",
    "http://1.2.3.08/",
    "http://evil.example.0x7f/",
    # IPv6 with more than one reading
    "http://[fe80::1%25eth0]/",
    "http://[fe80::1%eth0]/",
    "http://[::1]evil.example/",
    "http://evil.example[::1]/",
    "http://[::1][::2]/",
    "http://[::1]]/",
    "http://[[::1]]/",
    "http://[]/",
    "http://[::1/",
    "http://::1/",
    "http://[127.0.0.1]/",
    "http://[v1.fe80]/",
    "http://[::g]/",
    # no host
    "",
    "   ",
    "https://",
    "https:///v1",
    "https:api.openai.com",
    "https:/api.openai.com",
    "http://:8000/",
    "http://./",
    "http://../",
    "//api.openai.com/v1",
    "https:443",
    "api-openai-com",
    "0123456789abcdef.A1b2C3d4E5f6",
    "user:80@evil.example",
    # names that are none
    "http://a..example/",
    "http://-a.example/",
    "http://a-.example/",
    "http://.example/",
    f"http://{'a' * 64}.example/",
    f"http://{'a.' * 127}example/",
    # other schemes
    "file:///etc/passwd",
    "ftp://api.openai.com/",
    "gopher://api.openai.com/",
    "javascript://api.openai.com/",
    "unix:///run/docker.sock",
    "httpx://api.openai.com/",
    "ws://api.openai.com/",
    # white space and control characters
    "https://api.openai.com /",
    "https://api.openai.com/ v1",
    "https://api.openai.com/\tv1",
    "https://api.open\nai.com/",
    "https://api.openai.com/\r\nHost: evil.example",
    "https://api.openai.com/\0",
    "\x00https://api.openai.com/",
    "ht\ttps://api.openai.com/",
    "https://api.openai.com/\x7f",
    "https://api.openai.com/\x1b[31m",
    # query and fragment
    "https://api.openai.com/v1?key=x",
    "https://api.openai.com?@evil.example",
    "https://api.openai.com/v1#x",
    "https://evil.example#@api.openai.com/",
    "https://api.openai.com/v1;x",
    # dot segments
    "https://api.openai.com/../v1",
    "https://api.openai.com/v1/./x",
    "https://api.openai.com/v1/..",
    # ports
    "https://h:0/",
    "https://h:65536/",
    "https://h:99999/",
    "https://h:-1/",
    "https://h:+443/",
    "https://h:44 3/",
    "https://h:/",
    "https://h:http/",
    "https://h:443:443/",
    "https://h:00000443/",
    "https://h:4_43/",
    # size
    "https://h/" + "a" * 2100,
    "https://" + "a" * 100_000,
]

SENTENCES: Final = {
    (
        "base_url must be a plain http:// or https:// address: no spaces, quotes, user names, "
        "queries, fragments, escapes, dot segments or non-ASCII characters. Write an "
        "international host name as xn--…."
    ),
    "base_url must begin with http:// or https:// and name a host.",
}

LABEL: Final = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,10}[a-z0-9])?", fullmatch=True)
NAMES: Final = st.lists(LABEL, min_size=1, max_size=4).map(".".join)
IPV6: Final = st.ip_addresses(v=6).map(lambda ip: f"[{ip}]")
HOSTS: Final = NAMES | IPV6 | st.ip_addresses(v=4).map(str) | st.just("r.openai.azure.com")
SEGMENT: Final = st.sampled_from(["v1", "v2", "openai", "a.b", "~x", "", "V1", "xv1"]) | (
    st.sampled_from(
        ["chat/completions", "messages", "api", "api/chat", "models", "models/m:generateContent"]
    )
)
PORTS: Final = st.none() | st.integers(1, 65535)


@st.composite
def _urls(draw: st.DrawFn) -> str:
    scheme = draw(st.sampled_from(["http", "https", "HTTP", "Https"]))
    port = draw(PORTS)
    path = "".join(f"/{segment}" for segment in draw(st.lists(SEGMENT, max_size=5)))
    return f"{scheme}://{draw(HOSTS)}{'' if port is None else f':{port}'}{path}"


ANYTHING: Final = st.text(max_size=60) | st.text("ht:p/s.@[]1v%\\-a#?", max_size=30).map(
    lambda rest: f"http://{rest}"
)


@pytest.mark.parametrize(("provider", "text", "normal"), NORMAL)
def test_address_has_one_spelling(provider: str, text: str, normal: str) -> None:
    """With or without slash, `/v1`, default port or capital letters."""
    spec = next(spec for spec in TAKES_BASE_URL if spec.provider == provider)
    assert normalise_base_url(spec, text) == normal


@pytest.mark.parametrize(("provider", "text", "meant"), PASTED)
def test_pasted_endpoint_is_the_base_url_that_it_means(
    provider: str, text: str, meant: str
) -> None:
    """Vendors' examples show whole endpoints, so people paste them."""
    assert normalise_base_url(CATALOG[ServingBackend(provider)], text) == meant


@pytest.mark.parametrize(("provider", "text", "meant"), WITHOUT_SCHEME)
def test_a_host_without_a_scheme_is_understood(provider: str, text: str, meant: str) -> None:
    """But it has no origin of its own: a key is bound to what was understood."""
    assert normalise_base_url(CATALOG[ServingBackend(provider)], text) == meant
    with pytest.raises(InvalidInput):
        origin_of(text)


@pytest.mark.parametrize(("provider", "text", "url"), CALLED)
def test_what_will_be_called_can_be_shown(provider: str, text: str, url: str) -> None:
    """`tests/component/wire/test_base_urls.py` compares it with what is called."""
    spec = CATALOG[ServingBackend(provider)]
    assert called_url(spec, normalise_base_url(spec, text)) == url


@pytest.mark.parametrize("text", DATED_AZURE)
def test_dated_azure_address_is_refused_with_the_address_of_the_v1_api(text: str) -> None:
    """Its calls would need a query, and the v1 API takes the same key and deployments."""
    with pytest.raises(InvalidInput, match=r"RESOURCE\.openai\.azure\.com/openai/v1") as refusal:
        normalise_base_url(CATALOG[ServingBackend.OPENAI], text)
    assert refusal.value.detail.startswith("base_url ")  # the boot names the variable instead
    assert text not in refusal.value.detail


@pytest.mark.parametrize(("text", "origin"), ORIGINS)
def test_origin_is_scheme_lower_case_host_and_explicit_port(text: str, origin: str) -> None:
    """What a key is bound to."""
    assert origin_of(text) == origin


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: ascii(text)[:40])
def test_hostile_address_is_refused_without_repeating_it(text: str) -> None:
    """Whoever wrote it learns the rule, and a log line shows nothing of it."""
    for refuse in (origin_of, lambda t: normalise_base_url(TAKES_BASE_URL[0], t)):
        with pytest.raises(InvalidInput) as refusal:
            refuse(text)
        assert refusal.value.detail in SENTENCES
        assert refusal.value.args == (refusal.value.detail,)
        assert refusal.value.__context__ is None


@pytest.mark.parametrize("text", ["", "https://generativelanguage.googleapis.com", "\0"])
def test_gemini_takes_no_base_url(text: str) -> None:
    """It says to leave it blank."""
    with pytest.raises(InvalidInput, match="leave base_url blank"):
        normalise_base_url(CATALOG[ServingBackend.GEMINI], text)


@given(SPECS, _urls())
def test_normalising_is_idempotent(spec: ProviderSpec, text: str) -> None:
    """What is stored is what would be stored again."""
    try:
        once = normalise_base_url(spec, text)
    except InvalidInput:
        assume(False)  # noqa: FBT003 - hypothesis' own way to skip an example
    assert normalise_base_url(spec, once) == once


@given(SPECS, _urls())
def test_normalising_keeps_the_origin(spec: ProviderSpec, text: str) -> None:
    """The spelling may change, where it leads may not."""
    try:
        normal = normalise_base_url(spec, text)
    except InvalidInput:
        assume(False)  # noqa: FBT003 - hypothesis' own way to skip an example
    assert origin_of(normal) == origin_of(text)


@given(_urls())
def test_origin_is_its_own_origin(text: str) -> None:
    """An origin can be compared with an origin of an origin."""
    try:
        origin = origin_of(text)
    except InvalidInput:
        assume(False)  # noqa: FBT003 - hypothesis' own way to skip an example
    assert origin_of(origin) == origin


@given(SPECS, ANYTHING)
def test_any_text_is_normalised_or_refused(spec: ProviderSpec, text: str) -> None:
    """No text brings another error than our own, and what is accepted is plain."""
    try:
        url = normalise_base_url(spec, text)
    except InvalidInput:
        return
    assert url.isascii()
    assert not set(url) & set("@\\%?#; \t\r\n")
