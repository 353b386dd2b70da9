"""A child that ends with its parent, even where that is killed."""

from __future__ import annotations

import os
import signal
import threading
import time
from typing import Final

LOOK_SECONDS: Final = 0.5


def end_with_parent(parent: int) -> None:
    """Stop this process in order as soon as whoever started it is gone.

    The parent's id is polled: that works on every POSIX.

    Args:
        parent: Its process id, as it says itself: by now it may be gone already.
    """

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(LOOK_SECONDS)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="aurorasoc-parent", daemon=True).start()
