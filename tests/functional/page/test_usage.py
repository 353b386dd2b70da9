"""Usage on the page: charts that need no colour, and numbers beside them."""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
from playwright.sync_api import BrowserContext, Locator, ViewportSize, expect

from tests.functional.page.visit import Visit
from tests.world.processes import until
from tests.world.service import Service

USAGE: Final = "/usage"
PROMPT: Final = {"messages": [{"role": "user", "content": "ping"}]}
PHONE: Final[ViewportSize] = {"width": 390, "height": 844}
HOUR_US: Final = 3_600_000_000
READ: Final = re.compile("As of|Nobody called a model")
HIDDEN: Final = """() => {
    Object.defineProperty(document, "visibilityState", { value: "hidden", configurable: true });
    document.dispatchEvent(new Event("visibilitychange"));
}"""

COUNTS: Final = {"calls": 10, "failed": 1, "counted": 9, "prompt_tokens": 9_000}
KNOWN: Final = COUNTS | {
    "completion_tokens": 3_000,
    "cached_tokens": 2_000,
    "cached_counted": 9,
    "sent": 12,
}
SEEDED: Final = {
    "deepseek": KNOWN | {"priced": 9, "micro_dollars": 2_500_000},
    "vllm": KNOWN | {"unpriced": 9},
    "azure-eu": {"calls": 4, "uncounted": 4, "unpriced": 4, "sent": 4},
}
NUMBERS: Final = (
    *("calls", "failed", "abandoned", "counted", "uncounted", "priced", "unpriced"),
    *("prompt_tokens", "completion_tokens", "cached_tokens", "thought_tokens", "micro_dollars"),
    *("cached_counted", "thoughts_counted"),
    *("sent", "failed_attempts", "milliseconds", "streams", "first_piece_milliseconds"),
)
SEED: Final = "seeded by the tests of the page"


def counted_on(day: datetime, connection: str, weight: int) -> str:
    """Return the statement that stores what was counted at noon of a day, UTC."""
    hour_us = int(day.timestamp()) * 1_000_000 + 12 * HOUR_US
    names = (connection, f"{connection}-model", "specialist", "", SEED, "GREEN")
    counts = [SEEDED[connection].get(name, 0) * weight for name in NUMBERS]
    columns = ("hour_us, key, connection, model, agent, client, subject, tlp", *NUMBERS)
    values = (f"{hour_us}, '{connection}', " + ", ".join(f"'{name}'" for name in names), *counts)
    joined = (", ".join(map(str, part)) for part in (columns, values))
    return "INSERT INTO llm_usage ({}) VALUES ({})".format(*joined)  # noqa: S608 - our own


def store(service: Service, *statements: str) -> None:
    """Write to the database in a thread without a loop: Playwright's runs in this one."""
    with ThreadPoolExecutor(1) as thread:
        thread.submit(service.stored.execute, *statements).result()


@pytest.fixture
def used(context: BrowserContext, service: Service) -> Iterator[Visit]:
    """Yield a visitor of a service that was used on each of the last 20 days but today."""
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    days = [(today - timedelta(days=ago), ago) for ago in range(1, 21)]
    rows = [
        counted_on(day, name, 1 + ago * place % 7)
        for place, name in enumerate(SEEDED, start=2)
        for day, ago in days
    ]
    store(service, *rows)
    yield Visit(context, service)
    store(service, f"DELETE FROM llm_usage WHERE subject = '{SEED}'")  # noqa: S608 - our own


def usage(visit: Visit) -> Locator:
    """Find the section."""
    return visit.page.get_by_role("region", name="Usage", exact=True)


def choice(visit: Visit, name: str) -> Locator:
    """Find a choice of what is shown."""
    return usage(visit).get_by_role("combobox", name=name, exact=True)


def row_of(visit: Visit, name: str) -> Locator:
    """Find a key's row."""
    return usage(visit).get_by_role("table").first.get_by_role("row", name=name)


def report(service: Service, by: str = "connection") -> list[dict[str, Any]]:
    """Return what the service counted today."""
    rows: list[dict[str, Any]] = service.client().get(USAGE, params={"by": by}).json()["rows"]
    today = datetime.now(UTC).date().isoformat()
    return [row for row in rows if row["bucket"].startswith(today)]


def calls_of(service: Service, key: str, by: str = "connection") -> int:
    """Return how many calls a key made today."""
    return sum(row["calls"] for row in report(service, by) if row["key"] == key)


def call_and_wait(service: Service) -> None:
    """Make a call, and wait until it is counted: that is written in batches."""
    before = calls_of(service, "vllm")
    assert service.client().post("/chat", json=PROMPT).is_success
    until(lambda: calls_of(service, "vllm") > before)


def test_a_call_is_shown_by_whichever_name_it_has(visit: Visit) -> None:
    """By connection, and by the agent or role that asked; by the hour, too."""
    call_and_wait(visit.service)
    visit.sign_in()
    section = usage(visit)
    choice(visit, "Time").select_option("Last 7 days")
    expect(row_of(visit, "vLLM")).to_be_visible()
    choice(visit, "By").select_option("Agent")
    expect(row_of(visit, "specialist")).to_be_visible()
    choice(visit, "Time").select_option("Last 24 hours")
    expect(section).to_contain_text("Tokens by hour")


def test_numbers_stand_beside_the_chart_and_nothing_unknown_is_a_zero(used: Visit) -> None:
    """Each chart says in words what it shows; what wasn't counted is said so."""
    used.sign_in()
    section = usage(used)
    expect(section.get_by_role("img", name="Tokens by day. Most: ")).to_be_visible()
    expect(section.get_by_role("img", name="Tokens of DeepSeek by day. Most: ")).to_be_visible()
    unknown = row_of(used, "azure-eu")
    expect(unknown).to_contain_text("not counted")
    expect(unknown).to_contain_text("not known")
    expect(unknown.get_by_role("img")).to_have_accessible_name(
        "Tokens of azure-eu by day. All of it is not counted."
    )
    expect(row_of(used, "DeepSeek").get_by_role("cell").last).to_contain_text("$")
    used.look("usage", of=section)
    choice(used, "Show").select_option("Cost")
    expect(section.get_by_role("img", name="Cost of DeepSeek by day. Most: $")).to_be_visible()


def test_every_day_is_listed_with_its_exact_numbers(used: Visit) -> None:
    """Newest first."""
    used.sign_in()
    section = usage(used)
    section.get_by_text("Each day in numbers").click()
    days = section.get_by_role("table").last.get_by_role("row")
    yesterday = datetime.now(UTC) - timedelta(days=1)
    shown = days.filter(has_text=f"{yesterday.day} {yesterday:%b}").filter(has_text="DeepSeek")
    weight = 1 + 2 % 7
    expect(shown).to_contain_text(f"{9_000 * weight:,}")
    expect(shown).to_contain_text(f"${2.5 * weight:.2f}")
    used.look("usage-days", of=section)


def test_what_is_shown_is_chosen_by_keyboard(used: Visit) -> None:
    """The controls are the browser's own."""
    used.sign_in()
    section = usage(used)
    expect(row_of(used, "DeepSeek")).to_be_visible()
    choice(used, "Show").focus()
    used.page.keyboard.press("ArrowDown")
    expect(choice(used, "Show")).to_have_value("cost")
    used.page.keyboard.press("Tab")
    expect(section.get_by_role("button", name="Refresh")).to_be_focused()
    used.page.keyboard.press("Tab")
    expect(section.get_by_text("Each day in numbers")).to_be_focused()


def test_usage_needs_no_sideways_scrolling_on_a_phone(used: Visit) -> None:
    """Each cell then carries its column's name."""
    used.page.set_viewport_size(PHONE)
    used.sign_in()
    expect(row_of(used, "DeepSeek")).to_be_visible()
    used.look("usage-phone", of=usage(used))
    assert used.page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]


def test_usage_is_read_each_minute_while_the_page_is_seen(visit: Visit) -> None:
    """And on demand; a tab that isn't seen asks for nothing."""
    visit.page.clock.install()
    visit.sign_in()

    def readings() -> int:
        return sum("/usage?" in address for address in visit.asked)

    def read_once_more(act: str) -> None:
        before = readings()
        with visit.page.expect_response(lambda answer: "/usage?" in answer.url):
            visit.page.clock.run_for(61_000) if act == "wait" else visit.button(act).click()
        assert readings() == before + 1

    expect(usage(visit)).to_contain_text(READ)
    read_once_more("wait")
    read_once_more("Refresh usage, budgets and clients")
    visit.page.evaluate(HIDDEN)
    before = readings()
    visit.page.clock.run_for(300_000)
    assert readings() == before


def test_whoever_may_only_read_sees_usage(used: Visit) -> None:
    """It takes agents:read."""
    used.sign_in("analyst")
    expect(row_of(used, "DeepSeek")).to_be_visible()
