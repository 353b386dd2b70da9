"""End a child with its parent, even if the parent is killed."""

from __future__ import annotations

import os
import signal
import threading
import time
from typing import Final

LOOK_SECONDS: Final = 0.5


def end_with_parent(parent: int) -> None:
    """Stop this process cleanly as soon as its parent is gone.

    The parent's id is polled: that works on every POSIX.

    Args:
        parent: The process id that the parent passed; it may be gone already.
    """

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(LOOK_SECONDS)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="aurorasoc-parent", daemon=True).start()
