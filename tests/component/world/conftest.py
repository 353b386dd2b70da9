"""Fixtures of the test world's own tests."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from tests.world.certificates import CertificateAuthority
from tests.world.connect_proxy import ConnectProxy
from tests.world.fixtures import VENDOR_KEYS, ca, capture
from tests.world.processes import bare_env
from tests.world.vendor import VendorServer

__all__ = ["ca", "capture"]
_MARK: Final = "OUTCOME "


class BeeAI:
    """A child process that calls models through BeeAI, in an environment all of its own."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        """Talk to a running `beeai_child.py`."""
        self._process = process

    def call(self, name: str, mode: str = "chat", **case: Any) -> dict[str, Any]:
        """Make one call of model `name`; `options` build the model, `run` goes to `run()`."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"name": name, "mode": mode, **case}) + "\n")
        self._process.stdin.flush()
        for line in self._process.stdout:
            if line.startswith(_MARK):
                return dict(json.loads(line.removeprefix(_MARK)))
        pytest.fail("the child process ended")


@pytest.fixture(scope="module")
def world_vendor(ca: CertificateAuthority) -> Iterator[VendorServer]:
    """Play all vendors for a whole module."""
    models = {"openai": ["gpt-4o"], "deepseek": ["deepseek-v4-flash"]}
    with VendorServer(VENDOR_KEYS, models, tls=ca.issue().context()) as server:
        yield server


@pytest.fixture(scope="module")
def world_proxy(world_vendor: VendorServer) -> Iterator[ConnectProxy]:
    """Lead all host names to the module's vendor."""
    with ConnectProxy(world_vendor.tls_port) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def beeai(
    world_proxy: ConnectProxy, ca: CertificateAuthority, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[BeeAI]:
    """Start one BeeAI process behind the proxy: its imports take seconds."""
    env = bare_env(
        HTTPS_PROXY=world_proxy.url,
        NO_PROXY="127.0.0.1",
        SSL_CERT_FILE=str(ca.pem),
        LITELLM_LOCAL_MODEL_COST_MAP="True",
        LITELLM_LOCAL_ANTHROPIC_BETA_HEADERS="True",
        LITELLM_MODE="PRODUCTION",
    )
    script = Path(__file__).parent / "beeai_child.py"
    folder = tmp_path_factory.mktemp("beeai")
    with (
        (folder / "log").open("w") as log,
        subprocess.Popen(
            [sys.executable, script],
            env=env,
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        ) as process,
    ):
        yield BeeAI(process)
        process.kill()


@pytest.fixture
def keyless() -> Iterator[VendorServer]:
    """Play the local backends, which ask for no key."""
    with VendorServer(plays=["vllm", "ollama"]) as server:
        yield server
