"""Flushes on SIGTERM, then lets the signal do what it did before."""

import os
import signal
import threading
from collections.abc import Callable
from types import FrameType


def flush_first(flush: Callable[[], object]) -> bool:
    """Install a handler that flushes in a thread of its own and then sends the signal again.

    The handler itself must not flush: it interrupts the main thread anywhere, for example inside a report.

    Returns:
        False, with nothing changed, outside the main thread or if Python cannot restore the present handler.

    """
    before = signal.getsignal(signal.SIGTERM)
    if threading.current_thread() is not threading.main_thread() or before is None:
        return False

    def flush_then_resend() -> None:
        try:
            flush()
        finally:
            os.kill(os.getpid(), signal.SIGTERM)

    def handle(_number: int, _frame: FrameType | None) -> None:
        signal.signal(signal.SIGTERM, before)
        threading.Thread(target=flush_then_resend, name="batchprogress-sigterm", daemon=True).start()

    signal.signal(signal.SIGTERM, handle)
    return True
