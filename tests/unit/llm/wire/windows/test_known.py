"""What is known of context windows is kept for a while."""

from collections.abc import Iterator

import pytest

from aurorasoc.granite import ModelReference
from aurorasoc.llm.wire.windows import known as windows
from aurorasoc.llm.wire.windows.known import ContextWindow, is_known, keep_window, known_window
from tests.examples import reference


@pytest.fixture(autouse=True)
def _forgotten() -> Iterator[None]:
    windows._kept.clear()
    yield
    windows._kept.clear()


@pytest.fixture
def asked() -> ModelReference:
    """Return a model."""
    return reference()


def test_a_window_is_kept_for_its_address_and_model_and_then_forgotten(
    asked: ModelReference,
) -> None:
    """After ten minutes the server is asked anew: it may have been started with another one."""
    window = ContextWindow(4096, "server")
    keep_window(asked, window, lambda: 0.0)
    assert known_window(asked, lambda: windows.KEPT_SECONDS - 1) == window
    assert known_window(reference("http://localhost:8001/v1"), lambda: 1.0) is None
    assert not is_known(asked, lambda: windows.KEPT_SECONDS)
    assert known_window(asked, lambda: windows.KEPT_SECONDS) is None


def test_who_does_not_know_is_not_asked_again_for_a_minute(asked: ModelReference) -> None:
    """A server without an answer isn't asked before each step."""
    keep_window(asked, None, lambda: 0.0)
    assert is_known(asked, lambda: windows.UNKNOWN_SECONDS - 1)
    assert not is_known(asked, lambda: windows.UNKNOWN_SECONDS)


@pytest.mark.parametrize(
    "window",
    [ContextWindow(4096, "assumed"), ContextWindow(0, "server"), ContextWindow(10**12, "refusal")],
)
def test_neither_an_assumption_nor_nonsense_is_kept(
    asked: ModelReference, window: ContextWindow
) -> None:
    """Once its model is loaded, an Ollama knows better."""
    keep_window(asked, window, lambda: 0.0)
    assert not is_known(asked, lambda: 0.0)


def test_memory_is_bounded(asked: ModelReference, monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest finding goes first."""
    monkeypatch.setattr(windows, "MOST_KEPT", 1)
    keep_window(asked, ContextWindow(4096, "server"))
    keep_window(reference("http://localhost:8001/v1"), ContextWindow(2048, "server"))
    assert not is_known(asked)
    assert is_known(reference("http://localhost:8001/v1"))
