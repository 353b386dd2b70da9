"""A process of an agent author: it opens the runtime, asks the live handle, tells the answer."""

import asyncio
import json
import sys
from typing import Annotated, Literal

from beeai_framework.backend.message import UserMessage
from pydantic import BaseModel, Field

from aurorasoc import get_chat_model, open_runtime


class Verdict(BaseModel):
    """An answer with the bounds that a small model's grammar can hold."""

    severity: Literal["low", "medium", "high"]
    confidence: int = Field(ge=0, le=100)
    techniques: list[Annotated[str, Field(pattern="^T[0-9]{4}$")]] = Field(max_length=2)
    summary: str = Field(max_length=60)


async def main() -> None:
    """Ask once, for a structured answer, and print its fields."""
    async with open_runtime():
        model = get_chat_model()
        question = UserMessage("Ten failed logins from one address, then a success. Judge it.")
        answer = await model.run([question], response_format=Verdict, max_tokens=300)
    verdict = Verdict.model_validate(answer.output_structured)
    sys.stdout.write(json.dumps(verdict.model_dump()) + "\n")


asyncio.run(main())
