"""When a stream that says nothing is taken for dead. Pure."""

from collections.abc import Iterable
from typing import Any, Final

from batchprogress.v1 import progress_pb2 as pb

HEARTBEAT_SECONDS = 20
"""What watches ask for: proxies end a quiet stream after 50 s (haproxy) or 60 s (nginx)."""
SILENT_SECONDS_MAX = 3.0 * HEARTBEAT_SECONDS
"""Two heartbeats may be late or lost to a busy machine; then the stream is dead."""
HEARTBEAT_KEY = "batchprogress-heartbeat-seconds"
"""In the initial metadata of a server that sends heartbeats. One of 0.1 is silent until its batch changes."""

END: Final[Any] = object()
"""What stands for the end of a stream; None stands for bytes that are not a message."""

Metadata = Iterable[tuple[str, Any]]


class Liveness:
    """How long one stream may be silent.

    Every server answers a new stream at once, since each asks for the present state.
    """

    def __init__(self) -> None:
        self.has_begun = False
        """Whether a response has come, and with it the initial metadata."""
        self._sends_heartbeats = False

    def begin(self, initial_metadata: Metadata) -> None:
        """Note the initial metadata, which comes with the first response or before it."""
        self.has_begun = True
        self._sends_heartbeats = any(key == HEARTBEAT_KEY for key, _ in initial_metadata)

    def note(self, response: pb.WatchBatchResponse | pb.WatchBatchesResponse | None) -> None:
        """Note a response: after a heartbeat others will follow, even if the metadata could not be read."""
        if response is not None and not response.HasField("batch"):
            self._sends_heartbeats = True

    @property
    def silent_seconds_max(self) -> float | None:
        """How long the next response may take; None if the server may have nothing to say."""
        return SILENT_SECONDS_MAX if self._sends_heartbeats or not self.has_begun else None
