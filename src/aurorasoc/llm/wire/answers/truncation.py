"""Whether a provider cut the prompt: what it counted, against the least that was sent.

Ollama keeps the first four tokens and the tail of a prompt that is too long, half a window in
all, and answers 200. Gone are the instructions; what stays is the end, where text from outside
may stand. The count is all that tells (github.com/ollama/ollama, issues 4967 and 17889; its
`contextShiftPromptLimit`). Other servers and gateways cut as well, so every provider is checked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from aurorasoc.errors import ContextTruncated
from aurorasoc.granite import ModelReference
from aurorasoc.llm.wire.answers.usage import Usage
from aurorasoc.llm.wire.asking.request import ModelRequest
from aurorasoc.llm.wire.windows.known import forget_window, known_window
from aurorasoc.llm.wire.windows.token_bounds import fewest_tokens

LEAST_COUNTED: Final = 256
"""A smaller count is no cut prompt, but a server that doesn't count: no window is so small."""

SLACK: Final = 1.1
"""For tokenizers that join more than the bound expects."""


def require_whole_prompt(request: ModelRequest, usage: Usage | None) -> None:
    """Refuse an answer to a prompt that was cut.

    Args:
        request: What was sent.
        usage: What the provider counted, cached tokens included; None if it doesn't count.

    Raises:
        ContextTruncated: It counted fewer tokens than any tokenizer makes of these messages, or
            as many as the window holds.
    """
    if usage is None or usage.prompt_tokens < LEAST_COUNTED:
        return
    reference, prompt_tokens = request.reference, usage.prompt_tokens
    texts = list(_texts(request.messages))
    if _fills_window(reference, prompt_tokens) or _is_too_few(texts, prompt_tokens):
        forget_window(reference)
        raise _truncated(reference, prompt_tokens)


def _fills_window(reference: ModelReference, prompt_tokens: int) -> bool:
    """Whether nothing is left for an answer: Ollama before 2026 cut a prompt to its window."""
    window = known_window(reference)
    return window is not None and window.tokens - 1 <= prompt_tokens <= window.tokens


def _is_too_few(texts: Sequence[str], prompt_tokens: int) -> bool:
    if sum(map(len, texts)) <= prompt_tokens:  # a token for each character: surely whole
        return False
    return fewest_tokens(texts) > prompt_tokens * SLACK


def _truncated(reference: ModelReference, prompt_tokens: int) -> ContextTruncated:
    detail = (
        f"{reference.connection} cut the prompt for {reference.model} to {prompt_tokens} tokens "
        "and answered the rest: its context window is too small. Serve the model with a larger one "
        "(Ollama: OLLAMA_CONTEXT_LENGTH or num_ctx), or send less."
    )
    return ContextTruncated(detail, provider=reference.provider, model=reference.model)


def _texts(messages: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for message in messages:
        content = message.get("content")
        if isinstance(content, str):
            yield content
        for part in content if isinstance(content, list) else ():
            text = part.get("text") if isinstance(part, Mapping) else None
            if isinstance(text, str):
                yield text
