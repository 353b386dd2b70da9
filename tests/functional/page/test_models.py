"""The list of models below its field: by mouse, keyboard and screen reader, with an unsaved key."""

import json
from collections.abc import Iterator
from typing import Final

import pytest
from playwright.sync_api import Locator, ViewportSize, expect

from tests.functional.page.visit import Visit
from tests.world.fixtures import VENDOR_KEYS
from tests.world.vendor import VendorServer

KEY: Final = VENDOR_KEYS["openai"]
CHAT: Final = ["gpt-4o", "gpt-4o-mini", "gpt-5", "o3", "meta-llama/llama-3.3-70b"]
OTHERS: Final = ["text-embedding-3-large", "gpt-image-1"]
NOT_CHAT: Final = [
    "text-embedding-3-large",
    "nomic-embed-text:latest",
    "bge-m3",
    "all-minilm",
    "BAAI/bge-large-en-v1.5",
    "tts-1",
    "gpt-4o-mini-tts",
    "whisper-1",
    "gpt-4o-transcribe",
    "gpt-4o-audio-preview",
    "gpt-realtime",
    "dall-e-3",
    "gpt-image-1",
    "imagen-4.0-generate-001",
    "gemini-2.5-flash-image",
    "veo-3.0",
    "sora-2",
    "omni-moderation-latest",
    "meta-llama/llama-guard-4-12b",
    "cohere/rerank-v3.5",
    "mistral-ocr-latest",
    "black-forest-labs/FLUX.1-schnell",
    "stable-diffusion-xl",
    "davinci-002",
    "qwen3-embedding",
]
DO_CHAT: Final = [
    "gpt-4o",
    "gpt-5-codex",
    "o3",
    "claude-sonnet-4-6",
    "gemini-2.5-pro",
    "deepseek-v4-flash",
    "granite4:8b",
    "mistral-large-latest",
    "openai/gpt-oss-120b:groq",
    "gpt-4o-search-preview",
    "qwen3:30b-a3b",
    "anthropic/claude-opus-4.1",
    "llama-3.3-70b-versatile",
    "olive-2",
    "delivery-llm",
    "smollm2-135m-instruct",
]
FAMILIES: Final = {
    "gpt-4o": "gpt",
    "o3": "o",
    "granite4:8b": "granite",
    "meta-llama/llama-3.3-70b": "meta-llama",
    "GPT-5": "gpt",
    "7b-of-ours": "others",
}
ACTIVE: Final = """(it) =>
    document.getElementById(it.getAttribute("aria-activedescendant")).textContent.trim()"""
KINDS: Final = """async ([chat, families]) => {
    const styles = document.querySelector("link[rel=stylesheet]").href;
    const { familyOf, mayChat } = await import(new URL("model_kinds.js", styles));
    return [chat.filter(mayChat), families.map(familyOf)];
}"""


@pytest.fixture
def admin(visit: Visit, hosted: VendorServer) -> Iterator[Visit]:
    """Yield an admin who has signed in; OpenAI lists models of several kinds."""
    hosted.models["openai"] = CHAT + OTHERS
    visit.sign_in()
    yield visit
    hosted.models.clear()


def type_key(admin: Visit) -> tuple[Locator, Locator]:
    """Open OpenAI's form and type a key; return the form, and the field for a model."""
    form = admin.configure("OpenAI or compatible")
    form.get_by_role("textbox", name="Key").fill(KEY)
    return form, form.get_by_role("combobox", name="Specialist model")


def options(form: Locator) -> Locator:
    """Find what the open list offers."""
    return form.get_by_role("listbox", name="Specialist model").get_by_role("option")


def test_a_click_lists_the_models_that_the_typed_key_may_use(admin: Visit) -> None:
    """The key goes into one request, and nothing is saved. The others are shown when asked for."""
    sent: list[tuple[str, str]] = []
    admin.page.on("request", lambda it: sent.append((it.url, it.post_data or "")))
    form, model = type_key(admin)
    model.click()
    admin.says("The provider lists 7 models.")
    expect(options(form)).to_have_text([*CHAT, "Show 2 more that aren't chat models"])
    listed = form.get_by_role("listbox", name="Specialist model")
    names = listed.get_by_role("group").evaluate_all("all => all.map(it => it.ariaLabel)")
    assert names == ["gpt", "o", "meta-llama"]
    admin.look("models")
    form.get_by_role("option", name="Show 2 more").click()
    expect(options(form)).to_have_count(len(CHAT + OTHERS))
    form.get_by_role("option", name="gpt-5").click()
    expect(model).to_have_value("gpt-5")
    expect(form.get_by_role("listbox")).to_have_count(0)
    ((url, body),) = [(url, body) for url, body in sent if KEY in body]
    assert url.endswith("/system/llm/providers/openai/models")
    assert json.loads(body) == {"api_key": KEY}
    assert admin.service.row("openai")["key_present"] is False


def test_typing_searches_the_list(admin: Visit) -> None:
    """All words count, in any order; a name that is typed in full leaves nothing to choose."""
    form, model = type_key(admin)
    model.fill("mini gpt")
    expect(options(form)).to_have_text(["gpt-4o-mini"])
    model.fill("text-embed")
    expect(options(form)).to_have_text(["Show 1 more that isn't a chat model"])
    model.fill("gpt-4o-mini")
    expect(form.get_by_role("listbox")).to_have_count(0)


def test_the_list_is_used_by_keyboard_and_told_to_screen_readers(admin: Visit) -> None:
    """Arrows, Enter and Escape, as the pattern for comboboxes has it; the dialog stays open."""
    form, model = type_key(admin)
    expect(model).to_have_attribute("aria-expanded", "false")
    model.press("ArrowDown")
    expect(model).to_have_attribute("aria-expanded", "true")
    for key in ("ArrowDown", "ArrowDown", "ArrowDown", "ArrowUp"):
        admin.page.keyboard.press(key)
    assert model.evaluate(ACTIVE) == CHAT[1]
    expect(model).to_be_focused()
    admin.page.keyboard.press("Enter")
    expect(model).to_have_value(CHAT[1])
    admin.page.keyboard.press("ArrowDown")
    admin.page.keyboard.press("Escape")
    expect(model).to_have_attribute("aria-expanded", "false")
    expect(form.get_by_role("alert")).to_have_count(0)


def test_a_new_connection_lists_its_models_before_it_is_added(admin: Visit) -> None:
    """With the typed address and key; it is not there yet."""
    admin.button("Add a connection…").click()
    form = admin.dialog("Add a connection")
    form.get_by_role("combobox", name="Service").select_option("openai")
    name = form.get_by_role("textbox", name="Name")
    name.fill("OpenAI")
    expect(name).to_have_value("openai")
    admin.says("There is a connection called openai already.")
    form.get_by_role("textbox", name="Key").fill(KEY)
    form.get_by_role("combobox", name="Model").click()
    form.get_by_role("option", name="gpt-5").click()
    expect(form.get_by_role("combobox", name="Model")).to_have_value("gpt-5")
    names = [row["connection"] for row in admin.service.inventory()["providers"]]
    assert "new" not in names


@pytest.mark.parametrize("width", [1280, 390])
def test_long_names_fit_into_the_list(admin: Visit, hosted: VendorServer, width: int) -> None:
    """They are broken, and nothing has to be scrolled sideways."""
    hosted.models["openai"] = ["m" * 200, f"maker/{'n-' * 100}", *CHAT]
    size: ViewportSize = {"width": width, "height": 860}
    admin.page.set_viewport_size(size)
    form, model = type_key(admin)
    model.click()
    expect(options(form)).to_have_count(len(CHAT) + 2)
    for place in (".dialog-body", ".options"):
        assert form.locator(place).evaluate("(it) => it.scrollWidth <= it.clientWidth")
    admin.look(f"models-{width}")


def test_kinds_and_families_are_told_by_names(visit: Visit) -> None:
    """A guess, that hides and groups; nothing else follows from it."""
    visit.open()
    chat, families = visit.page.evaluate(KINDS, [NOT_CHAT + DO_CHAT, list(FAMILIES)])
    assert chat == DO_CHAT
    assert families == list(FAMILIES.values())
