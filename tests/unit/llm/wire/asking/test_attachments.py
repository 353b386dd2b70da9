"""What a message may hold: text, and images and files that travel inside it."""

from typing import Any, Final

import pytest

from aurorasoc.errors import ImageNotTaken, InvalidInput
from aurorasoc.llm.wire.asking.attachments import require_images_taken, require_inline
from tests.examples import reference_at
from tests.world.model_table import without_images

PNG: Final = "data:image/png;base64,iVBORw0KGgo="
ELSEWHERE: Final = (
    "https://elsewhere.invalid/a.png",
    "http://127.0.0.1:1/a.png",
    "HTTPS://ELSEWHERE.INVALID/a.png",
    " https://elsewhere.invalid/a.png",
    "//elsewhere.invalid/a.png",
    "gs://bucket/a.pdf",
    "file:///etc/passwd",
    "/etc/passwd",
    "data:image/png,https://elsewhere.invalid/a.png",
    "data:image/png;base64,https://elsewhere.invalid/a.png",
    "",
    None,
)


def _image(address: object) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": address}}


def _file(**fields: object) -> dict[str, Any]:
    return {"type": "file", "file": fields}


def _message(*parts: object, role: str = "user") -> list[dict[str, Any]]:
    return [{"role": role, "content": list(parts)}]


def test_text_and_data_pass() -> None:
    """Nothing has to be fetched for them."""
    require_inline([{"role": "system", "content": "https://example.org is a sentence"}])
    require_inline([{"role": "assistant", "content": None}])
    parts = [{"type": "text", "text": "see https://example.org"}, _image(PNG)]
    require_inline(_message(*parts, _file(file_data=PNG, filename="a.png")))
    require_inline(_message({"type": "image_url", "image_url": PNG}))


@pytest.mark.parametrize("address", ELSEWHERE)
def test_an_address_is_refused(address: object) -> None:
    """In an image, written either way, and in a file."""
    parts = [_image(address), {"type": "image_url", "image_url": address}]
    for part in (*parts, _file(file_data=address)):
        with pytest.raises(InvalidInput, match="data: URLs"):
            require_inline(_message(part))


def test_a_file_by_its_id_is_refused() -> None:
    """It may be an address, and is nothing that this process holds."""
    with pytest.raises(InvalidInput):
        require_inline(_message(_file(file_id="https://elsewhere.invalid/a.pdf", file_data=PNG)))


def test_a_tools_result_is_judged_too() -> None:
    """LiteLLM hoists images out of it."""
    with pytest.raises(InvalidInput):
        require_inline(_message(_image("https://elsewhere.invalid/a.png"), role="tool"))


@pytest.mark.parametrize("kind", ["video_url", "document", "input_audio", "container_upload", ""])
def test_an_unknown_kind_is_refused_by_name(kind: str) -> None:
    """A list of what is known, so that what is new is nobody's hole."""
    with pytest.raises(InvalidInput, match=kind or "dict"):
        require_inline(_message({"type": kind, kind: {"url": "https://elsewhere.invalid"}}))


def test_an_image_to_a_model_that_takes_none_is_refused() -> None:
    """The table knows it of a vendor's own models; text goes to any."""
    blind = reference_at("deepseek", without_images("deepseek"))
    require_images_taken(_message({"type": "text", "text": "x"}), blind)
    with pytest.raises(ImageNotTaken, match="takes no images"):
        require_images_taken(_message(_image(PNG)), blind)


@pytest.mark.parametrize(
    ("provider", "model", "base_url"),
    [
        ("openai", "gpt-4o", None),
        ("deepseek", "a-model-that-nobody-knows", None),
        ("deepseek", without_images("deepseek"), "https://gateway.example/v1"),
        ("vllm", "m", None),
    ],
)
def test_an_image_goes_where_nobody_knows_better(
    provider: str, model: str, base_url: str | None
) -> None:
    """A gateway may serve anything under a vendor's name."""
    require_images_taken(_message(_image(PNG)), reference_at(provider, model, base_url))
