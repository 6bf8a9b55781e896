"""Lets a program start with less CPU: nine tenths of a start are imports."""

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def imports() -> Iterator[None]:
    """Surround the imports of a program, which come before everything else.

    Of the 150,000 objects that the modules of a server create, 1,200 are garbage. Looking for it again and
    again would take a twentieth of the CPU of a start, so that all are exempt from collections.
    """
    gc.disable()
    try:
        _import_structlog()
        yield
    finally:
        gc.freeze()
        gc.enable()


def _import_structlog() -> None:
    """Import structlog without rich, in which it would show stack traces: ours are plain text.

    With it come pygments and attrs, another twentieth of a start. Programs that need rich import it later.
    """
    if "structlog" in sys.modules or "rich" in sys.modules:
        return
    sys.modules["rich"] = None  # type: ignore[assignment]  # as if it were not installed
    try:
        import structlog  # noqa: F401, PLC0415  # as the first of all modules
    finally:
        del sys.modules["rich"]
