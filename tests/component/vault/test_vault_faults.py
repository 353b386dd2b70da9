"""Each fault of the proxy is the fault that it says it is, on the wire."""

import threading
import time
from pathlib import Path

import httpx
import pytest

from tests.world import patient
from tests.world.certificates import CertificateAuthority
from tests.world.vault.faults import (
    HEALTH,
    NOT_INITIALISED,
    NOT_YET_HERE,
    QUOTA_EXCEEDED,
    SEALED,
    WEB_PAGE,
    ForeignOrigin,
    Gate,
    VaultFault,
    VaultFaultProxy,
    error,
    health,
)
from tests.world.vault.server import VaultServer
from tests.world.vendor.http1 import Answer

SECRET = "/secret/data/faults/key"
BODY = {"data": {"api_key": "made-up"}}
PATIENCE = 1.0
SHORT = httpx.Timeout(60, read=0.3)
"""Patience for who gets no answer at all."""


@pytest.fixture(autouse=True)
def _no_secret(shared_vault: VaultServer) -> None:
    """Begin without the secret, so that its versions begin at one."""
    shared_vault.call("DELETE", "secret/metadata/faults/key")


def version(vault: VaultServer) -> int:
    """Return the secret's version as Vault itself has it."""
    return int(vault.get_secret("faults/key")["metadata"]["version"])


# --- without a fault ---------------------------------------------------------------------------


def test_without_faults_writes_and_reads_pass(through: httpx.Client) -> None:
    """What was written through the proxy is read through it."""
    through.post(SECRET, json=BODY)
    assert through.get(SECRET).json()["data"]["data"] == {"api_key": "made-up"}


def test_a_query_passes_unchanged(through: httpx.Client) -> None:
    """A pinned version is what Vault is asked for."""
    for _ in range(2):
        through.post(SECRET, json=BODY)
    read = through.get(SECRET, params={"version": 1})
    assert read.json()["data"]["metadata"]["version"] == 1


def test_requests_are_recorded_with_their_token_and_status(
    through: httpx.Client, proxy: VaultFaultProxy, shared_vault: VaultServer
) -> None:
    """The record tells who asked what, and what Vault said."""
    through.get(SECRET)
    (seen,) = proxy.seen(SECRET, "GET")
    assert (seen.token, seen.status) == (shared_vault.root_token, 404)


def test_a_stopped_vault_is_a_broken_connection(vault: VaultServer) -> None:
    """A proxy has no answer of its own to give."""
    vault.stop()
    with VaultFaultProxy(vault.url) as proxy, pytest.raises(httpx.TransportError):
        patient.get(f"{proxy.url}{HEALTH}")


def test_it_stands_between_two_tls_connections(
    vault_program: Path, tmp_path: Path, ca: CertificateAuthority
) -> None:
    """A Vault with TLS is reached over TLS, and verified."""
    trust = ca.client_context()
    with (
        VaultServer(tmp_path, ca=ca, binary=vault_program) as vault,
        VaultFaultProxy(vault.url, trust=trust, tls=ca.issue().context()) as proxy,
        patient.client(verify=trust) as client,
    ):
        assert client.get(f"{proxy.url}{HEALTH}").status_code == 501


# --- instead of Vault --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (QUOTA_EXCEEDED, 429),
        (NOT_YET_HERE, 412),
        (error(472, "disaster recovery secondary"), 472),
        (error(473, "performance standby"), 473),
        (NOT_INITIALISED, 501),
        (SEALED, 503),
    ],
)
def test_a_fixed_answer_keeps_vault_out_of_it(
    through: httpx.Client, proxy: VaultFaultProxy, answer: Answer, status: int
) -> None:
    """The status is the one that was set, and Vault was not asked."""
    with proxy.held(VaultFault(answer=answer)):
        got = through.get(SECRET)
    assert (got.status_code, got.json()["errors"] != []) == (status, True)
    assert proxy.seen()[0].status is None


@pytest.mark.parametrize("status", [429, 472, 473, 474, 501, 503])
def test_health_answers_as_a_node_in_that_state(
    through: httpx.Client, proxy: VaultFaultProxy, status: int
) -> None:
    """Only an active node is no standby."""
    with proxy.held(VaultFault(where=HEALTH, answer=health(status))):
        got = through.get("/sys/health")
    assert (got.status_code, got.json()["standby"]) == (status, True)


def test_a_web_page_comes_with_status_200(through: httpx.Client, proxy: VaultFaultProxy) -> None:
    """As a load balancer or a captive portal answers."""
    with proxy.held(VaultFault(answer=WEB_PAGE)):
        got = through.get(SECRET)
    assert (got.status_code, got.text[:15]) == (200, "<!doctype html>")


def test_a_redirect_keeps_path_and_query(through: httpx.Client, proxy: VaultFaultProxy) -> None:
    """As a standby points to the active node."""
    with proxy.held(VaultFault(redirect="http://127.0.0.1:1")):
        got = through.get(SECRET, params={"version": 1})
    expected = f"http://127.0.0.1:1/v1{SECRET}?version=1"
    assert (got.status_code, got.headers["location"]) == (307, expected)


def test_a_followed_redirect_shows_the_token_it_gave_away(
    through: httpx.Client, proxy: VaultFaultProxy, shared_vault: VaultServer
) -> None:
    """The other origin writes down each token it was sent."""
    with ForeignOrigin() as foreign, proxy.held(VaultFault(redirect=foreign.url)):
        through.get(SECRET, follow_redirects=True)
        assert foreign.tokens == [shared_vault.root_token]


def test_a_redirect_that_is_not_followed_gives_no_token_away(
    through: httpx.Client, proxy: VaultFaultProxy
) -> None:
    """The other origin is not even asked."""
    with ForeignOrigin() as foreign, proxy.held(VaultFault(redirect=foreign.url)):
        through.get(SECRET)
        assert foreign.received == []


def test_a_lagging_standby_answers_what_was_last_read(
    through: httpx.Client, proxy: VaultFaultProxy, shared_vault: VaultServer
) -> None:
    """A version that was written meanwhile has not arrived there."""
    shared_vault.put_secret("faults/key", {"api_key": "made-up"})
    through.get(SECRET)
    shared_vault.put_secret("faults/key", {"api_key": "newer"})
    with proxy.held(VaultFault(stale=True)):
        assert through.get(SECRET).json()["data"]["metadata"]["version"] == 1


def test_a_lagging_standby_does_not_know_what_it_never_read(
    through: httpx.Client, proxy: VaultFaultProxy, shared_vault: VaultServer
) -> None:
    """A secret that is new to it is a 404 without errors."""
    shared_vault.put_secret("faults/key", {"api_key": "made-up"})
    with proxy.held(VaultFault(stale=True)):
        got = through.get(SECRET)
    assert (got.status_code, got.json()) == (404, {"errors": []})


def test_a_lagging_standby_still_forwards_writes(
    through: httpx.Client, proxy: VaultFaultProxy, shared_vault: VaultServer
) -> None:
    """Only reads lag."""
    with proxy.held(VaultFault(stale=True)):
        through.post(SECRET, json=BODY)
    assert version(shared_vault) == 1


# --- late, never, or in pieces -----------------------------------------------------------------


def test_a_hang_never_answers(through: httpx.Client, proxy: VaultFaultProxy) -> None:
    """The client's own patience ends it."""
    with proxy.held(VaultFault(hang=True)), pytest.raises(httpx.ReadTimeout):
        through.get(SECRET, timeout=SHORT)


def test_a_hang_does_not_reach_vault(
    through: httpx.Client, proxy: VaultFaultProxy, shared_vault: VaultServer
) -> None:
    """A write that hangs was not done."""
    with proxy.held(VaultFault(hang=True)), pytest.raises(httpx.ReadTimeout):
        through.post(SECRET, json=BODY, timeout=SHORT)
    assert shared_vault.ask("GET", SECRET.removeprefix("/")).status_code == 404


def test_a_delay_holds_the_request_back(through: httpx.Client, proxy: VaultFaultProxy) -> None:
    """The answer comes, but late."""
    begun = time.monotonic()
    with proxy.held(VaultFault(delay=0.2)):
        through.get(SECRET)
    assert time.monotonic() - begun >= 0.2


def test_a_slow_drip_outlasts_a_timeout_between_bytes(
    through: httpx.Client, proxy: VaultFaultProxy
) -> None:
    """No pause is longer than the client's patience, but the whole is."""
    begun = time.monotonic()
    with proxy.held(VaultFault(drip=0.1)):
        got = through.get(SECRET, timeout=httpx.Timeout(60, read=PATIENCE))
    assert got.json() == {"errors": []}
    assert time.monotonic() - begun > PATIENCE


def test_a_cut_breaks_off_in_the_body(through: httpx.Client, proxy: VaultFaultProxy) -> None:
    """Status and headers arrive, the rest of the body does not."""
    with proxy.held(VaultFault(cut=True)), through.stream("GET", SECRET) as got:
        assert got.status_code == 404
        with pytest.raises(httpx.TransportError):
            got.read()


def test_an_answer_lost_in_silence_was_a_write_that_vault_did(
    through: httpx.Client, proxy: VaultFaultProxy, shared_vault: VaultServer
) -> None:
    """The client times out after Vault committed."""
    with proxy.held(VaultFault(lose="silence")), pytest.raises(httpx.ReadTimeout):
        through.post(SECRET, json=BODY, timeout=SHORT)
    assert version(shared_vault) == 1


def test_an_answer_lost_to_a_reset_was_a_write_that_vault_did(
    through: httpx.Client, proxy: VaultFaultProxy, shared_vault: VaultServer
) -> None:
    """The connection breaks after Vault committed."""
    with proxy.held(VaultFault(lose="reset")), pytest.raises(httpx.ReadError):
        through.post(SECRET, json=BODY)
    assert version(shared_vault) == 1


def posted_meanwhile(through: httpx.Client) -> threading.Thread:
    """Write the secret in a thread of its own."""
    thread = threading.Thread(target=through.post, args=[SECRET], kwargs={"json": BODY})
    thread.start()
    return thread


def test_a_gate_before_vault_holds_a_write_that_is_not_done(
    through: httpx.Client, proxy: VaultFaultProxy, shared_vault: VaultServer
) -> None:
    """While it is closed, Vault has nothing."""
    gate = Gate()
    with proxy.held(VaultFault(gate_before=gate)):
        writer = posted_meanwhile(through)
        assert gate.reached.wait(60)
        status = shared_vault.ask("GET", SECRET.removeprefix("/")).status_code
        gate.open()
        writer.join()
    assert (status, version(shared_vault)) == (404, 1)


def test_a_gate_after_vault_holds_the_answer_to_a_write_that_is_done(
    through: httpx.Client, proxy: VaultFaultProxy, shared_vault: VaultServer
) -> None:
    """While it is closed, Vault has the version and the client does not know."""
    gate = Gate()
    with proxy.held(VaultFault(gate_after=gate)):
        writer = posted_meanwhile(through)
        assert gate.reached.wait(60)
        done, waiting = version(shared_vault), writer.is_alive()
        gate.open()
        writer.join()
    assert (done, waiting) == (1, True)


# --- which requests ----------------------------------------------------------------------------


def test_a_fault_is_for_paths_that_contain_its_text(
    through: httpx.Client, proxy: VaultFaultProxy
) -> None:
    """Other paths pass."""
    with proxy.held(VaultFault(where="/data/", answer=SEALED)):
        statuses = [through.get(path).status_code for path in (SECRET, "/sys/health")]
    assert statuses == [503, 200]


def test_a_fault_is_for_its_method(through: httpx.Client, proxy: VaultFaultProxy) -> None:
    """Other methods pass."""
    with proxy.held(VaultFault(method="POST", answer=SEALED)):
        statuses = [through.post(SECRET, json=BODY).status_code, through.get(SECRET).status_code]
    assert statuses == [503, 404]


def test_a_fault_comes_after_so_many_requests_and_for_so_many(
    through: httpx.Client, proxy: VaultFaultProxy
) -> None:
    """One passes, two meet it, the fourth passes."""
    with proxy.held(VaultFault(skip=1, times=2, answer=SEALED)):
        statuses = [through.get(SECRET).status_code for _ in range(4)]
    assert statuses == [404, 503, 503, 404]


def test_of_several_faults_the_first_that_fits_counts(
    through: httpx.Client, proxy: VaultFaultProxy
) -> None:
    """A narrow fault before a wide one wins where it applies."""
    narrow = VaultFault(where=HEALTH, answer=health(429))
    with proxy.held(narrow, VaultFault(answer=SEALED)):
        statuses = [through.get(path).status_code for path in ("/sys/health", SECRET)]
    assert statuses == [429, 503]


def test_faults_end_with_their_block(through: httpx.Client, proxy: VaultFaultProxy) -> None:
    """Afterwards everything passes again."""
    with proxy.held(VaultFault(answer=SEALED)):
        through.get(SECRET)
    assert through.get(SECRET).status_code == 404
