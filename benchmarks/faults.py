"""What becomes of a call when its provider is in trouble? Beside litellm's Router.

Sixteen kinds of fault at the first of two providers, whole, streamed and checked: how each call
ended, after how many seconds, and how often each provider was asked. Same time-outs and retries on
both sides; the Router streams, but holds nothing back, so `checked` is compared with its stream.

A line's name holds how both ended; that each ending of ours is the right one is tested
(tests/component/workflows/test_sixteen_faults.py).
"""

from __future__ import annotations

import asyncio
import subprocess
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

import httpx

from aurorasoc.llm.wire.libraries import adapter
from benchmarks.rig.counts import Counts
from benchmarks.rig.rows import Bar, Row, row
from tests.world.service import API, Service, asked, bearer, events, token
from tests.world.troubled import TEXT, Trouble, TroubledProvider

if TYPE_CHECKING:
    import litellm

TIMEOUT: Final = 4.0
FIRST_TOKEN: Final = 2.0
RETRIES: Final = 1
WHILE_DOWN: Final = 10
"""Calls that are made while a provider is down."""

HANGS: Final = 30.0
"""Seconds after which a call is given up."""

_ADMINS: Final = count(1)
_MODES: Final = ("whole", "streamed", "checked")
_BOUNDED: Final = Bar(2 * (RETRIES + 1) * TIMEOUT, on="ours")
"""None may hang: as long as the tries at both providers may take."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How a call ended, such as `answered by first` or `refused: timeout`."""

    word: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Case:
    """One fault's outcome on one side, and how often each provider was asked."""

    ending: Ending
    first: int
    second: int

    def __str__(self) -> str:
        """Say it shortly."""
        return f"{self.ending.word} ({self.first}+{self.second})"


Call = Callable[[], Awaitable[Ending]]


def measure(counts: Counts) -> list[Row]:
    """Play each fault, through the service and through the Router."""
    troubles = [one for one in Trouble if one is not Trouble.NONE]
    if counts.rounds == 1:
        troubles = [Trouble.FAILS_ONCE]
    with (
        TemporaryDirectory(prefix="aurorasoc-bench-") as name,
        TroubledProvider() as first,
        TroubledProvider() as second,
        Service(Path(name), _variables(first, second), popen=subprocess.Popen) as service,
    ):
        return asyncio.run(_measure(service, first, second, troubles))


def _variables(first: TroubledProvider, second: TroubledProvider) -> dict[str, str]:
    return {
        "LLM_BACKEND": "first",
        "LLM_FALLBACKS": "second",
        "LLM_CONNECTION_FIRST_PROVIDER": "openai",
        "LLM_CONNECTION_FIRST_BASE_URL": first.url,
        "LLM_CONNECTION_FIRST_MODEL": "m-first",
        "LLM_CONNECTION_FIRST_API_KEY": "sk-of-the-benchmark-first",
        "LLM_CONNECTION_SECOND_PROVIDER": "openai",
        "LLM_CONNECTION_SECOND_BASE_URL": second.url,
        "LLM_CONNECTION_SECOND_MODEL": "m-second",
        "LLM_CONNECTION_SECOND_API_KEY": "sk-of-the-benchmark-second",
        "LLM_TIMEOUT": f"{TIMEOUT:g}",
        "LLM_FIRST_TOKEN_TIMEOUT": f"{FIRST_TOKEN:g}",
        "LLM_MAX_RETRIES": str(RETRIES),
    }


async def _measure(
    service: Service,
    first: TroubledProvider,
    second: TroubledProvider,
    troubles: Sequence[Trouble],
) -> list[Row]:
    await adapter.load()  # which keeps litellm from calling home when it is imported
    rows = []
    headers = bearer(token("analyst"))
    base_url = f"{service.url}{API}"
    async with httpx.AsyncClient(base_url=base_url, headers=headers, trust_env=False) as client:
        for trouble in troubles:
            for mode in _MODES:
                _close_breakers(service, first, second)
                ours = await _played(_ours(client, mode), trouble, first, second)
                router = _router(first, second)
                theirs = await _played(_theirs(router, mode), trouble, first, second)
                rows.append(
                    row(
                        f"faults: {trouble}, {mode}: {ours}; Router: {theirs}",
                        [ours.ending.seconds],
                        [theirs.ending.seconds],
                        peer="litellm's Router",
                        bar=None if trouble is Trouble.DOWN_AND_BACK else _BOUNDED,
                    )
                )
    return rows


def _close_breakers(service: Service, *providers: TroubledProvider) -> None:
    """Begin anew: an admin's test that is answered closes a breaker."""
    for provider in providers:
        provider.begin(Trouble.NONE)
    who = f"admin-{next(_ADMINS)}"  # one may make twenty tests a minute
    for name in ("first", "second"):
        service.client(subject=who).post(f"/system/llm/providers/{name}/test")


async def _played(
    call: Call, trouble: Trouble, first: TroubledProvider, second: TroubledProvider
) -> Case:
    first.begin(trouble)
    second.begin(Trouble.NONE)
    if trouble is Trouble.DOWN_AND_BACK:
        ending = await _down_and_back(call, first)
    else:
        ending = await call()
    return Case(ending, len(first.asked), len(second.asked))


async def _down_and_back(call: Call, first: TroubledProvider) -> Ending:
    """Call while it is down, and then until it answers again; the seconds are until then."""
    for _ in range(WHILE_DOWN):
        await call()
    while_down, first.trouble = len(first.asked), Trouble.NONE
    began = time.monotonic()
    while time.monotonic() - began < HANGS:
        if (await call()).word == "answered by first":
            break
        await asyncio.sleep(0.5)
    word = f"asked {while_down} times by {WHILE_DOWN} calls while down"
    return Ending(word, time.monotonic() - began)


def _ours(client: httpx.AsyncClient, mode: str) -> Call:
    body = asked(stream=mode != "whole")
    if mode == "checked":
        body["checked"] = True

    async def call() -> Ending:
        began = time.monotonic()
        try:
            answer = await client.post("/chat", json=body, timeout=HANGS)
        except httpx.TimeoutException:
            return Ending("hangs", time.monotonic() - began)
        seconds = time.monotonic() - began
        if not answer.is_success:
            return Ending(f"refused: {answer.json()['code']}", seconds)
        if mode == "whole":
            said = answer.json()
            return Ending(_word(said["message"]["content"], said["model"]), seconds)
        return Ending(_of_events(events(answer.text)), seconds)

    return call


def _of_events(all_of_them: list[tuple[str, dict[str, Any]]]) -> str:
    text = "".join(data["content"] for name, data in all_of_them if name == "delta")
    name, data = all_of_them[-1]
    if name == "error":
        return f"{'broke off' if text else 'refused'}: {data['code']}"
    return _word(text, data["model"])


def _word(text: str, model: str) -> str:
    by = model.removeprefix("m-")
    return f"answered by {by}" if text == TEXT else f"WRONG: {len(text)} characters by {by}"


def _router(first: TroubledProvider, second: TroubledProvider) -> litellm.Router:
    import litellm  # noqa: PLC0415 - once `adapter.load` has

    models = [
        {
            "model_name": name,
            "litellm_params": {
                "model": f"openai/m-{name}",
                "api_base": provider.url,
                "api_key": "sk-of-the-benchmark",
                "timeout": TIMEOUT,
                "stream_timeout": FIRST_TOKEN,
            },
        }
        for name, provider in (("first", first), ("second", second))
    ]
    return litellm.Router(model_list=models, fallbacks=[{"first": ["second"]}], num_retries=RETRIES)


def _theirs(router: litellm.Router, mode: str) -> Call:
    messages = [{"role": "user", "content": "ping"}]

    async def call() -> Ending:
        began, text = time.monotonic(), ""

        def ending(word: str) -> Ending:
            return Ending(word, time.monotonic() - began)

        try:
            async with asyncio.timeout(HANGS):
                if mode == "whole":
                    said = await router.acompletion("first", messages)
                    return ending(_word(said.choices[0].message.content or "", said.model))
                model = ""
                stream = await router.acompletion("first", messages, stream=True)
                async for piece in stream:
                    model = piece.model or model
                    text += (piece.choices and piece.choices[0].delta.content) or ""
                return ending(_word(text, model))
        except TimeoutError:
            return ending("hangs")
        except Exception as error:  # noqa: BLE001 - any of litellm's
            return ending(f"{'broke off' if text else 'refused'}: {type(error).__name__}")

    return call
