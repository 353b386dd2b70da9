"""Where uvloop and httptools are installed, they serve."""

import subprocess
from pathlib import Path

from tests.functional.test_agents_a2a import Agent
from tests.world.fixtures import VENDOR_KEYS
from tests.world.service import Service


def _libraries_of(pid: int) -> str:
    """Return what a process has mapped into its memory, as the kernel says."""
    return Path(f"/proc/{pid}/maps").read_text()


def test_the_service_runs_on_uvloop_and_httptools(tmp_path: Path) -> None:
    """A request is read by httptools, on uvloop."""
    with Service(tmp_path, popen=subprocess.Popen) as service:
        mapped = _libraries_of(service.pid)
    assert "uvloop/loop" in mapped
    assert "httptools/parser" in mapped


def test_an_agent_runs_on_uvloop_and_httptools(tmp_path: Path) -> None:
    """So does an agent's A2A server."""
    variables = {"LLM_BACKEND": "deepseek", "LLM_DEEPSEEK_API_KEY": VENDOR_KEYS["deepseek"]}
    with Agent("malware-analyst", tmp_path, variables, popen=subprocess.Popen) as agent:
        mapped = _libraries_of(agent.pid)
    assert "uvloop/loop" in mapped
    assert "httptools/parser" in mapped
