"""The text of a streamed run, piece by piece."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from beeai_framework.backend.types import ChatModelOutput
    from beeai_framework.context import Run


async def texts_of(run: Run[ChatModelOutput]) -> AsyncGenerator[str | ChatModelOutput]:
    """Yield the pieces of text, then the whole output: only then is the answer known to be valid.

    Whoever leaves early closes this, and that ends the call.
    """
    async with aclosing(aiter(run)) as events:
        async for data, event in events:
            if event.name == "new_token":
                text = data.value.get_text_content()
                if text:
                    yield text
            elif event.name == "success":
                output = data.value
    yield output
