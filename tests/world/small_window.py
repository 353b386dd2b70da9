"""A server with a small context window, which counts tokens as a tokenizer does.

An Ollama cuts what is too long, as its `contextShiftPromptLimit` says: the first four tokens and
the tail stay, half a window in all. A vLLM refuses it in its own words.
"""

import asyncio
import re
from collections.abc import Mapping
from typing import Any, Final, Literal

from tests.world.investigation import Script
from tests.world.loopback import LOOPBACK, LoopbackServer
from tests.world.vendor import Exchange, Question
from tests.world.vendor.http1 import Answer, chunk, read_exchange, sse

_TOKEN: Final = re.compile(r"\s*(?:[A-Za-z]{1,4}|\d|[^A-Za-z\d\s])")
_KEPT: Final = 4


def tokens_of(text: str) -> list[str]:
    """Cut a text into tokens: a hash costs three quarters of a token a character."""
    return _TOKEN.findall(text)


class SmallWindow(LoopbackServer):
    """Plays an Ollama or a vLLM with one model, by a script.

    Args:
        kind: Which of them.
        window: Its context window in tokens.
        script: What it answers.
        says_window: Whether it names the window when it is asked.
    """

    def __init__(
        self,
        kind: Literal["ollama", "vllm"],
        window: int,
        script: Script | None = None,
        *,
        says_window: bool = True,
    ) -> None:
        """Prepare the server; `url` is valid inside the `with` block."""
        super().__init__()
        self.kind, self.window, self.says_window = kind, window, says_window
        self.script = script or Script()
        self.port = 0
        self.requests: list[Exchange] = []
        self.read: list[str] = []
        """What the model read of each prompt."""

    @property
    def url(self) -> str:
        """The origin."""
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def calls(self) -> list[Exchange]:
        """The calls for a completion."""
        return [one for one in self.requests if one.path.endswith("/chat/completions")]

    async def _open(self) -> None:
        self.port = await self._listen(self._serve)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while (exchange := await read_exchange(reader, tls=False)) is not None:
            self.requests.append(exchange)
            answer = self._answer(exchange)
            body = answer.body if answer.events is None else b"".join(map(chunk, answer.events))
            end = b"" if answer.events is None else chunk(b"")
            writer.write(answer.head() + body + end)
            await writer.drain()

    def _answer(self, exchange: Exchange) -> Answer:
        if exchange.path.endswith("/chat/completions"):
            return self._completed(exchange.body)
        if not self.says_window:
            return Answer.of({"detail": "Not Found"}, 404)
        if exchange.path == "/api/ps":
            return Answer.of({"models": [{"name": "m:latest", "context_length": self.window}]})
        if exchange.path == "/v1/models":
            row = {"id": "m", "object": "model", "max_model_len": self.window}
            return Answer.of({"object": "list", "data": [row]})
        return Answer.of({"detail": "Not Found"}, 404)

    def _completed(self, body: Mapping[str, Any]) -> Answer:
        tokens = tokens_of("\n".join(_text(message["content"]) for message in body["messages"]))
        if self.kind == "ollama" and len(tokens) >= self.window:
            left = self.window - (self.window - _KEPT) // 2
            tokens = tokens[:_KEPT] + tokens[_KEPT - left :]
        elif self.kind == "vllm" and len(tokens) + (body.get("max_tokens") or 1) > self.window:
            return self._refused(len(tokens), body.get("max_tokens") or 1)
        read = "".join(tokens)
        self.read.append(read)
        schema = (body.get("response_format") or {}).get("json_schema", {}).get("schema")
        question = Question(self.kind, "m", read, schema=schema)
        usage = {"prompt_tokens": len(tokens), "completion_tokens": 9, "total_tokens": 9}
        return _completion(self.script(question), usage, stream=bool(body.get("stream")))

    def _refused(self, prompt: int, asked: int) -> Answer:
        message = (
            f"This model's maximum context length is {self.window} tokens. However, you requested "
            f"{prompt + asked} tokens ({prompt} in the messages, {asked} in the completion). "
            "Please reduce the length of the messages or completion."
        )
        return Answer.of({"object": "error", "message": message, "code": 400}, 400)


def _text(content: object) -> str:
    if isinstance(content, list):
        return "".join(part["text"] for part in content)
    return str(content)


def _completion(text: str, usage: dict[str, int], *, stream: bool) -> Answer:
    head = {"id": "1", "created": 1, "model": "m"}
    if not stream:
        message = {"role": "assistant", "content": text}
        choice = {"index": 0, "finish_reason": "stop", "message": message}
        return Answer.of({**head, "object": "chat.completion", "choices": [choice], "usage": usage})
    delta = {"index": 0, "delta": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    piece = {**head, "object": "chat.completion.chunk", "choices": [delta]}
    last = {**head, "object": "chat.completion.chunk", "choices": [], "usage": usage}
    return Answer.stream([sse(piece), sse(last), sse("[DONE]")])
