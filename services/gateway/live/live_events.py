"""Builds the streams of events, which share the places of viewers and the connections to the server."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from starlette.types import ASGIApp

from services.gateway.contract.caller import Callers
from services.gateway.contract.forwarding import Forwarder
from services.gateway.contract.upstream import Upstream
from services.gateway.live import batch_events, selection_events
from services.gateway.live.admission import Admissions
from services.gateway.live.batch_events import BatchEvents
from services.gateway.live.batch_source import BatchSource
from services.gateway.live.batch_topic import BatchTopic, follow_batch
from services.gateway.live.catch_up import CatchUps
from services.gateway.live.event_stream import ViewerRoom
from services.gateway.live.metrics import ViewerCollector
from services.gateway.live.selection import Selection
from services.gateway.live.selection_events import SelectionEvents
from services.gateway.live.selection_source import SelectionSource
from services.gateway.live.selection_topic import SelectionTopic, follow_selection
from services.gateway.live.viewer_hub import HubBounds, ViewerHub
from services.gateway.live.watches import Watches


@dataclass(frozen=True, slots=True)
class LiveBounds:
    """How many viewers there may be, and of how much."""

    viewers_max: int
    topic_viewers_max: int
    """Viewers of the same batch, or of the same selection."""
    batches_max: int
    """Batches that are watched alone."""
    selections_max: int


class LiveEvents:
    """The streams of events.

    Args:
        upstream: the connections to the server.
        forwarder: makes unary calls.
        callers: knows with whose token viewers are let in, and the gateway's own.
        bounds: of viewers and watches.

    """

    def __init__(
        self, upstream: Upstream, forwarder: Forwarder, callers: Callers, bounds: LiveBounds
    ) -> None:
        watches, room = Watches(upstream, callers), ViewerRoom(bounds.viewers_max)
        batches = BatchSource(watches, forwarder, callers)
        self._batches: ViewerHub[str, BatchTopic] = ViewerHub(
            BatchTopic,
            partial(follow_batch, batches),
            HubBounds("batch", bounds.topic_viewers_max, bounds.batches_max),
        )
        selections = SelectionSource(watches, forwarder, callers)
        self._selections: ViewerHub[Selection, SelectionTopic] = ViewerHub(
            SelectionTopic,
            partial(follow_selection, selections),
            HubBounds("selection of batches", bounds.topic_viewers_max, bounds.selections_max),
        )
        admissions = Admissions(selections.admit, lambda first, later: first == later)
        self.routes: Mapping[str, ASGIApp] = {
            batch_events.PATH: BatchEvents(self._batches, Admissions(batches.get_batch), room, callers),
            selection_events.PATH: SelectionEvents(
                self._selections, admissions, room, callers, CatchUps(selections)
            ),
        }
        """The applications by their paths."""
        self.collector = ViewerCollector(room, lambda: self._batches.watches + self._selections.watches)

    async def close(self) -> None:
        """End all streams, so that their clients go on elsewhere."""
        await self._batches.close()
        await self._selections.close()
