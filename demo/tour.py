"""`make demo`: the whole switch, run unattended for a reader who has no key.

Ask a model about an alert, try a wrong key, store the right one, switch, ask again, restart,
ask once more, and verify the audit log. Each step prints its proof; the demo fails if a check
fails.
"""

from __future__ import annotations

import json
import secrets
import sys
import textwrap
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from aurorasoc.cli.dev.supervisor import Children
from aurorasoc.cli.output import say
from demo.stage import Backend, DemoFailed, Stage, require_simulator

if TYPE_CHECKING:
    import httpx

INTERRUPTED: Final = 130
"""128 + SIGINT, as shells count it."""

PROVIDER: Final = "openai"
QUESTION: Final = (
    "What should a security analyst check first about this Suricata alert? Answer in one sentence."
)
ALERT: Final[dict[str, Any]] = {
    "timestamp": "2026-03-14T09:26:53.589793+0100",
    "flow_id": 1415926535897932,
    "event_type": "alert",
    "src_ip": "10.20.30.41",
    "src_port": 51544,
    "dest_ip": "203.0.113.66",  # RFC 5737: for documentation
    "dest_port": 80,
    "proto": "TCP",
    "alert": {
        "action": "allowed",
        "signature_id": 1000017,  # the range for local rules
        "signature": "LOCAL PowerShell download from a rare host",
        "category": "Potentially Bad Traffic",
        "severity": 2,
    },
    "http": {
        "hostname": "updates.example",
        "url": "/a.ps1",
        "http_user_agent": "WindowsPowerShell/5.1",
        "status": 200,
        "length": 48213,
    },
}
"""One record in Suricata's EVE format, written for this demo."""

_CHAT: Final = {"messages": [{"role": "user", "content": f"{json.dumps(ALERT)}\n\n{QUESTION}"}]}
_CHAT_SHOWN: Final = [{"role": "user", "content": f"<the alert> {QUESTION}"}]
_EXCERPT: Final = 240
_WIDTH: Final = 96


def demo(
    local_model: Annotated[
        bool, typer.Option("--local-model/--no-local-model", help="Start the small model.")
    ] = True,
) -> None:
    """Run the whole switch in a minute, without a key: ask, switch, restart, verify the log."""
    require_simulator()
    began = time.monotonic()
    with Children(interrupted=INTERRUPTED) as children:
        folder = children.afterwards.enter_context(TemporaryDirectory(prefix="aurorasoc-demo-"))
        stage = Stage(Path(folder), children)
        try:
            entries = _run(stage, with_model=local_model)
        except DemoFailed as error:
            _say_failure(stage, error)
            raise typer.Exit(1) from None
    say(
        f"\nShown in {time.monotonic() - began:.0f} s: a wrong key changed nothing, the right one "
        "was sealed and switched to while the service ran, the choice outlived a restart, and "
        f"{entries} audit entries verify. Next: `make dev` keeps a service running for you to try."
    )


def _say_failure(stage: Stage, error: DemoFailed) -> None:
    """Print the failure and the end of the service's log, which is about to be removed."""
    lines = [f"aurorasoc: the demo failed: {error}", *stage.log_end()]
    sys.stderr.write("\n  ".join(lines) + "\n")


def _run(stage: Stage, *, with_model: bool) -> int:
    """Run all steps; return the number of verified audit entries."""
    say(f"Everything runs on 127.0.0.1 and in {stage.folder}, which is removed at the end.")
    local, hosted = stage.start_local(requested=with_model), stage.start_hosted()
    stage.open(local)
    say(f"  vllm    {local.base_url}  {local.model}: {local.described}")
    say(f"  {PROVIDER}  {hosted.base_url}  {hosted.model}: {hosted.described}")
    say(f"  $URL    {stage.url}  aurorasoc, with an empty database and random secrets")
    _ask_local(stage, local)
    _try_wrong_key(stage, hosted)
    _switch(stage, hosted)
    _ask_hosted(stage, hosted)
    _restart(stage, hosted)
    return _verify(stage)


def _ask_local(stage: Stage, local: Backend) -> None:
    say("\n1. Ask the local backend about a Suricata alert\n")
    _say_folded(json.dumps(ALERT))
    _ask(stage, "vllm", local)


def _try_wrong_key(stage: Stage, hosted: Backend) -> None:
    say("\n2. Try a wrong key: it is tested first, and nothing changes\n")
    before, newest = _state(stage), _newest(stage)
    wrong = f"demo-{secrets.token_urlsafe(24)}"
    stage.secrets.append(wrong)
    answer = _configure(stage, hosted, wrong, shown="<a wrong key>", query="?verify=true")
    problem = _expect(answer, 502)
    _require(problem["code"] == "auth_failed", f"the code is {problem['code']}")
    _proof(f"502 {problem['code']}: {problem['detail']}")
    after = _state(stage)
    _require(before == after, f"the configuration changed: {before} → {after}")
    _require(after["key_state"] == "absent", f"the key is {after['key_state']}")
    _proof(f"still revision {after['revision']}, backend {after['backend']}, no stored key")
    _written(stage, since=newest)


def _switch(stage: Stage, hosted: Backend) -> None:
    say("\n3. Store the right key and switch, while the service runs\n")
    before, newest = _state(stage), _newest(stage)
    answer = _expect(_configure(stage, hosted, stage.key, shown="<the right key>"), 200)
    active, row = answer["active"], answer["provider"]
    _require(answer["revision"] > before["revision"], "the revision didn't grow")
    _require(active["backend"] == PROVIDER, f"active is {active['backend']}")
    _require(row["key_state"] == "usable", f"the key is {row['key_state']}")
    _proof(
        f"200: revision {before['revision']} → {answer['revision']}, "
        f"backend {before['backend']} → {active['backend']}, model {active['model']}"
    )
    _proof(f"key …{row['key_last4']}, kept in: {row['key_source']}, state: {row['key_state']}")
    _written(stage, since=newest)
    _sealed(stage)


def _ask_hosted(stage: Stage, hosted: Backend) -> None:
    say("\n4. Ask the same again: the simulator answers\n")
    _ask(stage, PROVIDER, hosted)


def _restart(stage: Stage, hosted: Backend) -> None:
    say("\n5. Restart the service, and ask once more\n")
    before = _state(stage)
    old, new = stage.restart()
    _proof(f"process {old} was stopped; process {new} is ready")
    after = _state(stage)
    _require(before == after, f"the configuration changed: {before} → {after}")
    _proof(f"still revision {after['revision']}, backend {after['backend']}, key usable")
    _ask(stage, PROVIDER, hosted)


def _verify(stage: Stage) -> int:
    say("\n6. Read the audit log, and verify it\n")
    entries = _expect(stage.call("GET", "/audit"), 200)["entries"]
    for entry in reversed(entries):
        _proof(f"{_line(entry)}  {entry['at']}  {entry['actor']}  {entry['hash'][:12]}…")
    say("  $ aurorasoc audit verify")
    for line in stage.command("audit", "verify").splitlines():
        _proof(line)
    _sealed(stage)
    return len(entries)


def _ask(stage: Stage, provider: str, backend: Backend) -> None:
    """Ask about the alert; check who answered."""
    before, newest = _state(stage), _newest(stage)
    began = time.monotonic()
    answer = _expect(stage.call("POST", "/chat", _CHAT, messages=_CHAT_SHOWN), 200)
    seconds = time.monotonic() - began
    who = answer["provider"], answer["model"]
    _require(who == (provider, backend.model), f"{who} answered")
    _require(answer["revision"] == before["revision"], f"revision {answer['revision']} answered")
    _proof(
        f"200 from provider {provider}, model {answer['model']}, "
        f"revision {answer['revision']}, {seconds:.1f} s"
    )
    text = " ".join(answer["message"]["content"].split())
    _say_folded(f"“{textwrap.shorten(text, _EXCERPT, placeholder=' …')}”")
    _written(stage, since=newest)


def _configure(
    stage: Stage, hosted: Backend, key: str, *, shown: str, query: str = ""
) -> httpx.Response:
    body = {
        "provider": PROVIDER,
        "model": hosted.model,
        "base_url": hosted.base_url,
        "api_key": key,
    }
    return stage.call("PUT", f"/system/llm/config{query}", body, api_key=shown)


def _state(stage: Stage) -> dict[str, Any]:
    """Return what must not change by itself."""
    inventory = _expect(stage.ask("GET", "/system/llm/providers"), 200)
    (row,) = (row for row in inventory["providers"] if row["provider"] == PROVIDER)
    return {
        "revision": inventory["revision"],
        "fingerprint": inventory["fingerprint"],
        "backend": inventory["active"]["backend"],
        "key_state": row["key_state"],
    }


def _newest(stage: Stage) -> int:
    entries = _entries(stage)
    return int(entries[0]["seq"]) if entries else 0


def _entries(stage: Stage) -> list[dict[str, Any]]:
    return list(_expect(stage.ask("GET", "/audit"), 200)["entries"])


def _written(stage: Stage, *, since: int) -> None:
    """Print the audit entries that a step wrote."""
    entries = _entries(stage)
    lines = [_line(entry) for entry in reversed(entries) if entry["seq"] > since]
    _proof(f"written: {'; '.join(lines) or 'nothing'}")


def _sealed(stage: Stage) -> None:
    """Check that no file of the service contains a key in the clear."""
    files = stage.files()
    for file in files:
        content = file.read_bytes()
        readable = any(secret.encode() in content for secret in stage.secrets)
        _require(not readable, f"{file.name} holds a key in the clear")
    names = ", ".join(file.name for file in files)
    _proof(f"neither key can be read in any file of the service ({names})")


def _line(entry: dict[str, Any]) -> str:
    return f"#{entry['seq']} {entry['action']} {entry['target']}"


def _expect(answer: httpx.Response, status: int) -> dict[str, Any]:
    _require(answer.status_code == status, f"{answer.request.url.path}: {answer.text}")
    return dict(answer.json())


def _require(holds: bool, otherwise: str) -> None:  # noqa: FBT001 - reads as a sentence
    if not holds:
        raise DemoFailed(otherwise)


def _say_folded(text: str) -> None:
    say(textwrap.fill(text, _WIDTH, initial_indent="    ", subsequent_indent="    "))


def _proof(text: str) -> None:
    say(f"  → {text}")
