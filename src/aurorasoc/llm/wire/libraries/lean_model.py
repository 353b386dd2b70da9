"""Two steps of BeeAI's chat models that are left out: nobody uses what they compute.

They took a sixth of a call's processor time, and more the longer the conversation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from beeai_framework.adapters.litellm.utils import parse_chat_model_usage
from beeai_framework.backend.types import ChatModelInput, ChatModelOutput
from beeai_framework.cache import NullCache
from litellm import ModelResponse, ModelResponseStream

from aurorasoc.granite.catalog import CATALOG

if TYPE_CHECKING:
    from aurorasoc.llm.wire.calls import CallSite


class _Uncached(ChatModelInput):
    def to_json_safe(self) -> None:
        """Return nothing to make a key of: there is no cache of answers."""


class LeanModel:
    """Mixed in before an adapter's class."""

    aurora_site: CallSite
    cache: Any

    def _prepare_model_input(self, *args: Any) -> tuple[ChatModelInput, Any]:
        """Prepare a call; BeeAI would make the whole conversation a key in JSON."""
        asked, config = super()._prepare_model_input(*args)  # type: ignore[misc]  # the adapter's
        if isinstance(self.cache, NullCache):
            object.__setattr__(asked, "__class__", _Uncached)  # a copy would cost as much
        return asked, config

    def _transform_output(self, answer: ModelResponse | ModelResponseStream) -> ChatModelOutput:
        """Transform an answer; LiteLLM has no price for a model on the site's own hardware.

        It would look for one by the model's name, which may be the name of somebody else's model.
        """
        usage = answer.get("usage")
        if usage is None or not CATALOG[self.aurora_site.reference.provider].may_be_local:
            return self._transformed(answer)
        answer.usage = None  # BeeAI prices what has been counted
        output = self._transformed(answer)
        answer.usage = usage
        output.usage = parse_chat_model_usage(usage)
        return output

    def _transformed(self, answer: ModelResponse | ModelResponseStream) -> ChatModelOutput:
        output: ChatModelOutput = super()._transform_output(answer)  # type: ignore[misc]  # the adapter's
        return output
