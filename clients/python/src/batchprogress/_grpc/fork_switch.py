"""Switches gRPC's own handlers of forks off.

They may hang inside os.fork(), or abort the process that forks: with grpcio 1.72 after 50 forks. gRPC reads
the switch from its environment once, at its import (1.85) or at its first channel (1.72).
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

SWITCH = "GRPC_ENABLE_FORK_SUPPORT"


@contextmanager
def without_fork_handlers() -> Iterator[None]:
    """Set the switch for a moment, unless somebody has set it; other programs do not inherit it."""
    if SWITCH in os.environ:  # noqa: TID251  # gRPC's variable, not a setting
        yield
        return
    os.environ[SWITCH] = "0"  # noqa: TID251
    try:
        yield
    finally:
        os.environ.pop(SWITCH, None)  # noqa: TID251
