"""The processes on the page: who can't call, what differs, and a summary that agrees with both."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from playwright.sync_api import expect

from tests.functional.page.visit import Visit

LACKS: Final = {
    "connection": "vllm",
    "code": "address_not_allowed",
    "detail": "In this process, gw.lan leads to a private address.",
}
ROW: Final = (
    "INSERT INTO llm_instances (instance, kind, name, host, revision, fingerprint, adopted_us,"
    " feed, key_ids, seen_us, hindrances, settings) VALUES "
    "('{name}-1', 'agent', '{name}', 'soc-2', {revision}, '{fingerprint}', {now}, 'poll', '',"
    " {now}, '{hindrances}', '{settings}')"
)


def _execute(visit: Visit, *statements: str) -> None:
    """Write to the database in a thread: the browser's loop runs in this one."""
    with ThreadPoolExecutor(1) as thread:
        thread.submit(visit.service.stored.execute, *statements).result()


def test_no_row_contradicts_the_summary(visit: Visit) -> None:
    """One process differs by a variable, and one can't reach what it should call."""
    inventory = visit.service.inventory()
    same = {"revision": inventory["revision"], "now": time.time_ns() // 1000}
    _execute(
        visit,
        ROW.format(
            name="triage",
            fingerprint=inventory["fingerprint"],
            hindrances=json.dumps([LACKS]),
            settings="{}",
            **same,
        ),
        ROW.format(
            name="hunter",
            fingerprint="f" * 16,
            hindrances="[]",
            settings=json.dumps({"backend": "0" * 8}),
            **same,
        ),
    )
    try:
        visit.sign_in()
        panel = visit.page.get_by_role("region", name="Processes")
        expect(panel).to_contain_text("With another configuration: 1.")
        expect(panel).to_contain_text("Can't call a connection in use: 1.")
        expect(panel.get_by_role("listitem").filter(has_text="triage")).to_contain_text("gw.lan")
        differing = panel.get_by_role("listitem").filter(has_text="hunter")
        expect(differing).to_contain_text("LLM_BACKEND")
        visit.look("processes")
    finally:
        _execute(visit, "DELETE FROM llm_instances WHERE host = 'soc-2'")
