"""Put BeeAI's loggers under ours.

They are created outside the standard library's tree, and each prints to standard output itself
(beeai-framework 0.1.85), so `configure_logging` doesn't reach them by name.
"""

from __future__ import annotations

import logging
import sys
from typing import Final

from beeai_framework.logger import Logger

LIBRARY: Final = "beeai_framework"


def adopt_loggers() -> None:
    """Remove the handlers of all existing BeeAI loggers, and put them under our root."""
    for name, module in list(sys.modules.items()):
        logger = getattr(module, "logger", None) if name.startswith(LIBRARY) else None
        if isinstance(logger, Logger):
            logger.handlers.clear()
            logger.parent = logging.getLogger(LIBRARY)
            logger.setLevel(logging.WARNING)
