"""The proxy, the capture, the processes and llm-katan do what functional tests rely on."""

import errno
import os
import re
import socket
import sys
from pathlib import Path

import httpx
import pytest

from tests.world import patient
from tests.world.capture import CaptureServer
from tests.world.certificates import CertificateAuthority
from tests.world.connect_proxy import ConnectProxy
from tests.world.llm_katan import LLMKatan
from tests.world.processes import (
    ChildProcess,
    ProcessNotReadyError,
    answers,
    bare_env,
    free_port,
)


def test_proxy_refuses_and_records_plain_requests() -> None:
    """A request that is no CONNECT gets a 502 and is recorded; nothing is passed on."""
    with ConnectProxy(None) as proxy, patient.client(proxy=proxy.url) as client:
        assert client.get("http://plain.invalid/x").status_code == 502
        with pytest.raises(httpx.ProxyError):
            client.get("https://hosted.invalid/")
        assert proxy.refused == [("GET", "http://plain.invalid/x")]
        assert proxy.connects == [("hosted.invalid", 443)]
        proxy.clear()
        assert proxy.connects == []
        assert proxy.refused == []


def test_capture_counts_connections_and_keeps_first_bytes(capture: CaptureServer) -> None:
    """A connection is counted even if it says nothing; what is said is kept; nobody is answered."""
    with pytest.raises(httpx.RemoteProtocolError):
        patient.get(f"{capture.url}/stale")
    assert capture.connections == 1
    assert capture.first_bytes[0].startswith(b"GET /stale HTTP/1.1\r\n")
    with socket.create_connection(("127.0.0.1", capture.port)):
        pass


def test_silent_capture_keeps_the_caller_waiting() -> None:
    """A silent capture neither answers nor closes."""
    with CaptureServer(silent=True) as server, pytest.raises(httpx.ReadTimeout):
        httpx.get(server.url, trust_env=False, timeout=0.2)


def test_foreign_authority_is_not_trusted(ca: CertificateAuthority, tmp_path: Path) -> None:
    """A certificate of another authority fails verification."""
    stranger = CertificateAuthority(tmp_path)
    assert ca.pem.read_bytes() != stranger.pem.read_bytes()
    assert oct(stranger.issue("localhost").key.stat().st_mode)[-3:] == "600"


SERVER = """
import http.server as h
h.test(h.SimpleHTTPRequestHandler, port=0, bind="127.0.0.1")
"""
STUBBORN = """
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
subprocess.Popen([sys.executable, "-u", "-c", sys.argv[1]])
time.sleep(60)
"""


class Announced:
    """The address that a server writes to its log once it has a port."""

    def __init__(self, folder: Path) -> None:
        """Read the log in a folder."""
        self.log = folder / "log"

    @property
    def url(self) -> str:
        """The address; empty before it is written."""
        match = re.search(r"\((http://127\.0\.0\.1:\d+/)\)", self.log.read_text())
        return match[1] if match else ""

    def __call__(self) -> bool:
        """Tell whether it answers."""
        return bool(self.url) and answers(self.url)


def test_child_is_ready_then_gone(tmp_path: Path) -> None:
    """A child is reachable inside the block, and ended after it."""
    server = Announced(tmp_path)
    argv = [sys.executable, "-u", "-c", SERVER]
    with ChildProcess(argv, ready=server, log=server.log) as child:
        assert answers(server.url)
    assert child.returncode == -15
    assert not answers(server.url)
    assert "GET /" in child.output


def test_free_port_is_for_who_names_it() -> None:
    """Nobody answers there, the kernel gives it to nobody, and a server can listen on it."""
    port = free_port()
    with socket.socket() as caller, socket.socket() as taker, socket.socket() as server:
        assert caller.connect_ex(("127.0.0.1", port)) == errno.ECONNREFUSED
        with pytest.raises(OSError, match="in use"):
            taker.bind(("127.0.0.1", port))
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind(("127.0.0.1", port))
        server.listen()
        with socket.create_connection(("127.0.0.1", port)):
            pass


def test_failed_start_shows_the_log(tmp_path: Path) -> None:
    """A child that ends before it is ready raises with the tail of its log."""
    argv = [sys.executable, "-c", "raise SystemExit('no such luck')"]
    child = ChildProcess(argv, ready=lambda: False, log=tmp_path / "log")
    with pytest.raises(ProcessNotReadyError, match="no such luck"):
        child.start()


def test_late_child_is_given_up(tmp_path: Path) -> None:
    """A child that is never ready is killed at its deadline."""
    argv = [sys.executable, "-c", "import time; time.sleep(60)"]
    child = ChildProcess(argv, ready=lambda: False, log=tmp_path / "log", deadline=0.2)
    with pytest.raises(ProcessNotReadyError, match="not ready after"):
        child.start()
    assert child.returncode == -9


def test_stubborn_child_is_killed_with_its_own_children(tmp_path: Path) -> None:
    """SIGTERM ignored, SIGKILL follows, for the whole group."""
    server = Announced(tmp_path)
    argv = [sys.executable, "-c", STUBBORN, SERVER]
    child = ChildProcess(argv, ready=server, log=server.log).start()
    assert child.terminate(patience=0.2) == -9
    assert not answers(server.url)
    assert child.kill() == -9  # and again does no harm


def test_bare_environment_inherits_nothing_unnamed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ambient keys stay outside; PATH, a fresh HOME and what is named are set."""
    monkeypatch.setenv("OPENAI_API_KEY", "ambient")
    env = bare_env(EXTRA="1")
    assert "OPENAI_API_KEY" not in env
    assert (env["PATH"], env["EXTRA"]) == (os.environ["PATH"], "1")
    assert env["HOME"] != os.environ.get("HOME")
    assert Path(env["HOME"]).is_dir()


def test_llm_katan_checks_keys_over_verified_tls(ca: CertificateAuthority, tmp_path: Path) -> None:
    """llm-katan runs on loopback with our certificate and refuses a wrong key."""
    body = {"model": "katan-echo", "messages": [{"role": "user", "content": "ping"}]}
    with (
        LLMKatan(tmp_path, keys={"openai": "sk-katan"}, certificate=ca.issue()) as katan,
        patient.client(base_url=katan.url, verify=ca.client_context()) as client,
    ):
        for key, status in {"sk-katan": 200, "sk-wrong": 401}.items():
            headers = {"Authorization": f"Bearer {key}"}
            answer = client.post("/v1/chat/completions", json=body, headers=headers)
            assert answer.status_code == status
