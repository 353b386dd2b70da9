"""llm-katan, a public fake of the vendors' APIs, as a child process: formats we didn't write."""

import socket
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from tests.world.certificates import ServerCertificate
from tests.world.loopback import LOOPBACK
from tests.world.processes import ChildProcess, bare_env, free_port

_RUN: Final = "from llm_katan.cli import main; main()"
_PROVIDERS: Final = "openai,anthropic,vertexai"


class LLMKatan(ChildProcess):
    """An echo server on a free loopback port; it answers with what it was asked."""

    def __init__(
        self,
        folder: Path,
        *,
        keys: Mapping[str, str] | None = None,
        model: str = "katan-echo",
        certificate: ServerCertificate | None = None,
        flags: Sequence[str] = (),
    ) -> None:
        """Describe the server, whose log and statistics go to `folder`.

        `keys` maps llm-katan's provider names (openai, anthropic, vertexai) to valid keys; None
        accepts any. `flags` are passed on, for instance `["--error-rate", "1.0"]`.
        """
        self.port = free_port()
        self.model = model
        self._scheme = "https" if certificate else "http"
        argv: list[str | Path] = [sys.executable, "-c", _RUN, "--model", model]
        argv += ["--backend", "echo", "--providers", _PROVIDERS, "--disable-dashboard"]
        argv += ["--host", LOOPBACK, "--port", str(self.port)]
        argv += ["--stats-file", folder / "llm-katan-stats.json"]
        if keys is not None:
            pairs = ",".join(f"{provider}={key}" for provider, key in keys.items())
            argv += ["--validate-keys", "--api-keys", pairs]
        if certificate is not None:
            argv += ["--tls-cert", certificate.chain, "--tls-key", certificate.key]
        super().__init__(
            [*argv, *flags],
            env=bare_env(),
            ready=self._listens,
            log=folder / "llm-katan.log",
            deadline=60,
        )

    @property
    def url(self) -> str:
        """The origin, without a path."""
        return f"{self._scheme}://{LOOPBACK}:{self.port}"

    def _listens(self) -> bool:
        with socket.socket() as probe:
            probe.settimeout(1)
            return probe.connect_ex((LOOPBACK, self.port)) == 0
