"""Learn the context window of the model that a handle is bound to.

A vendor's own models are in LiteLLM's bundled table. Any other server is asked. What neither says,
a refusal may (`llm/wire/calls`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aurorasoc.granite import ModelReference
from aurorasoc.llm.models.binding import Binding
from aurorasoc.llm.models.facts import window_in_table
from aurorasoc.llm.wire.hosted_bytes import HOSTED_BYTES
from aurorasoc.llm.wire.libraries import litellm_table
from aurorasoc.llm.wire.windows.known import (
    ContextWindow,
    is_known,
    keep_window,
    known_window,
    plausible,
)
from aurorasoc.llm.wire.windows.lookup import ask_server

if TYPE_CHECKING:
    from aurorasoc.llm.wire.calls import CallSite


async def window_of(binding: Binding) -> ContextWindow | None:
    """Return a model's window, and ask its server where memory doesn't know it.

    Takes up to three seconds then, so no call waits for it: ask before one.

    Args:
        binding: The model, built as calls use it. The question is judged as they are, and takes
            the same transport.

    Returns:
        The window and who named it; None if nobody knows it.

    Raises:
        TlpRefused, HostedStopped, ProviderNotReady: No call may leave now.
    """
    reference = binding.reference
    if is_known(reference):
        return known_window(reference)
    window = await _in_table(reference) or await _at_server(binding)
    keep_window(reference, window)
    return window


async def _in_table(reference: ModelReference) -> ContextWindow | None:
    await litellm_table.load()
    tokens = window_in_table(reference)
    return None if tokens is None else ContextWindow(tokens, "table")


async def _at_server(binding: Binding) -> ContextWindow | None:
    model: Any = binding.model  # the class that `adapter` mixes has the site
    site: CallSite = model.aurora_site
    if site.judge_address is not None:
        await site.judge_address()
    site.judge()
    async with site.waits.asking(site.judge_under_way):
        with HOSTED_BYTES.exchanging(site.reference):
            answer = await ask_server(site.reference, site.reach)
    tokens = None if answer is None else plausible(answer.tokens)
    if answer is None or tokens is None:
        return None
    return ContextWindow(tokens, "assumed" if answer.assumed else "server")
