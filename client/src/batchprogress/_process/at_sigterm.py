"""SIGTERM: flush first, then let it do what it did before."""

import os
import signal
import threading
from collections.abc import Callable
from types import FrameType


def flush_first(flush: Callable[[], object]) -> bool:
    """Install a handler that flushes in a thread of its own and then sends the signal on.

    The handler itself must not flush: it runs in the main thread, in the middle of anything, a report
    among them. Returns False, and changes nothing, outside the main thread and over a handler that
    Python cannot put back.
    """
    before = signal.getsignal(signal.SIGTERM)
    if threading.current_thread() is not threading.main_thread() or before is None:
        return False

    def flush_then_send_on() -> None:
        try:
            flush()
        finally:
            os.kill(os.getpid(), signal.SIGTERM)

    def handle(_number: int, _frame: FrameType | None) -> None:
        signal.signal(signal.SIGTERM, before)
        threading.Thread(target=flush_then_send_on, name="batchprogress-sigterm", daemon=True).start()

    signal.signal(signal.SIGTERM, handle)
    return True
