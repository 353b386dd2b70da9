"""Requests for other names, and of other origins' pages, don't get through."""

from typing import Final

import pytest

from aurorasoc.core.inbound.origins import HostGuard, PublicHost

LISTENING: Final = ("10.0.0.5", "aurora")
PUBLIC: Final = ("SOC.example", "soc.example:8443", "https://tls.example")


async def status(host: str | None, origin: str | None = None) -> int:
    """Ask through the guard, and give the status: 200 comes from behind it."""
    answered: list[int] = []

    async def behind(_scope: object, _receive: object, _send: object) -> None:
        answered.append(200)

    async def receive() -> dict[str, object]:
        return {"type": "http.disconnect"}

    async def send(message: dict[str, object]) -> None:
        if "status" in message:
            answered.append(int(str(message["status"])))

    sent = [(b"host", host), (b"origin", origin)]
    headers = [(name, value.encode()) for name, value in sent if value is not None]
    guard = HostGuard(behind, LISTENING, PUBLIC)
    await guard({"type": "http", "headers": headers}, receive, send)  # type: ignore[arg-type] # as above
    (code,) = answered
    return code


@pytest.mark.parametrize(
    "host",
    [
        *("localhost", "localhost:8080", "LOCALHOST", "localhost.", "127.0.0.1:8080", "[::1]:8080"),
        *("soc.example", "Soc.Example:443", "soc.example.", "10.0.0.5", "10.0.0.9:80", None),
    ],
)
async def test_own_names_and_addresses_pass(host: str | None) -> None:
    """An address can't be led here by somebody else; a program may send no name at all."""
    assert await status(host) == 200


@pytest.mark.parametrize(
    "host",
    [
        *("evil.test", "evil.test:8080", "localhost.evil.test", "soc.example.evil.test"),
        *("127.0.0.1.evil.test", "evil.test#localhost", "localhost@evil.test", "", "[::1", "a b"),
        *("localhost:8080:1", "evil.test/localhost", "xsoc.example", "localhost\\evil.test"),
    ],
)
async def test_other_names_are_refused(host: str) -> None:
    """Also those that a careless reader would take for ours."""
    assert await status(host) == 421


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("localhost:8080", "http://localhost:8080"),
        ("127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("[::1]:8080", "http://[::1]:8080"),
        ("soc.example", "https://soc.example"),
        ("soc.example:443", "https://soc.example"),
        ("10.0.0.9", "http://10.0.0.9"),
        ("127.0.0.1:8080", "https://soc.example"),
        ("127.0.0.1:8080", "https://soc.example:8443"),
        ("soc.example:9443", "https://soc.example:9443"),
        ("127.0.0.1:8080", "https://tls.example"),
        ("tls.example", "https://tls.example:443"),
        ("aurora:8080", "http://aurora:8080"),
    ],
)
async def test_own_pages_pass(host: str, origin: str) -> None:
    """Directly, and behind a proxy that ends TLS or rewrites the name."""
    assert await status(host, origin) == 200


@pytest.mark.parametrize(
    "origin",
    [
        *("http://evil.test", "null", "", "http://localhost:3000", "http://127.0.0.1:8081"),
        *("http://localhost", "file://localhost:8080", "chrome-extension://abcdef", "http://["),
        *("http://localhost:8080.evil.test", "http://a@localhost:8080", "http://soc.example.test"),
    ],
)
async def test_other_pages_are_refused(origin: str) -> None:
    """Another port of this machine is another origin, too."""
    assert await status("localhost:8080", origin) == 403


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("10.0.0.5:8080", "http://10.0.0.5:3000"),
        ("10.0.0.5:8080", "http://10.0.0.5"),
        ("aurora:8080", "http://aurora"),
        ("aurora:8080", "https://aurora:9090"),
        ("soc.example", "https://soc.example:3000"),
        ("soc.example", "http://soc.example:81"),
        ("tls.example", "http://tls.example"),
        ("tls.example:80", "http://tls.example"),
        ("tls.example", "https://tls.example:8443"),
    ],
)
async def test_another_port_or_scheme_of_an_own_name_is_another_origin(
    host: str, origin: str
) -> None:
    """Other programs listen there: of the listening host, too."""
    assert await status(host, origin) == 403


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("SOC.example", PublicHost(None, "soc.example", None)),
        ("soc.example.:8443", PublicHost(None, "soc.example", "8443")),
        ("https://soc.example", PublicHost("https", "soc.example", None)),
        ("http://[::1]:9999/", PublicHost("http", "::1", "9999")),
        ("http://10.0.0.5:9999/a/b", PublicHost("http", "10.0.0.5", "9999")),
    ],
)
def test_public_host_is_a_name_a_port_and_a_scheme(text: str, read: PublicHost) -> None:
    """The latter two only where they are given."""
    assert PublicHost.of(text) == read
