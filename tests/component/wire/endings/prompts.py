"""How filters before OpenAI-compatible models refuse a prompt: with an error, also of a stream.

Sources: learn.microsoft.com, "Content filtering" of Azure OpenAI; platform.openai.com, "Error
codes"; help.aliyun.com, "Error messages" of Model Studio; openrouter.ai/docs, "Errors".
"""

from typing import Final, NamedTuple

from tests.world.vendor import Fault
from tests.world.vendor_bodies import whole

AZURE: Final = {"violence": {"filtered": True, "severity": "high"}, "hate": {"filtered": False}}
"""What Azure's filter says of an answer."""


class Prompt(NamedTuple):
    """A refused prompt: who refuses it, how, and which category callers are told."""

    name: str
    reply: Fault
    category: str


PROMPTS: Final = (
    Prompt(
        "Azure",
        whole(
            {
                "error": {
                    "message": "The response was filtered due to the prompt triggering Azure "
                    "OpenAI's content management policy.",
                    "type": None,
                    "param": "prompt",
                    "code": "content_filter",
                    "status": 400,
                    "innererror": {
                        "code": "ResponsibleAIPolicyViolation",
                        "content_filter_result": {
                            "jailbreak": {"filtered": True, "detected": True},
                            "hate": {"filtered": False, "severity": "safe"},
                        },
                    },
                }
            },
            400,
        ),
        "jailbreak",
    ),
    Prompt(
        "OpenAI",
        whole(
            {"error": {"message": "…", "type": "invalid_request_error", "code": "cyber_policy"}},
            403,
        ),
        "cyber_policy",
    ),
    Prompt(
        "Alibaba",
        whole(
            {"error": {"message": "Input data may contain …", "code": "data_inspection_failed"}},
            400,
        ),
        "data_inspection_failed",
    ),
    Prompt(
        "OpenRouter",
        whole(
            {
                "error": {
                    "code": 403,
                    "message": "Content flagged by moderation",
                    "metadata": {"reasons": ["violence", "hate"], "flagged_input": "ping"},
                }
            },
            403,
        ),
        "violence, hate",
    ),
)
