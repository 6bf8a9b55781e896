"""What a viewer has missed: asked for once, and kept in memory no longer than it is needed."""

import gc
import weakref
from collections.abc import Sequence

import pytest

from batchprogress.v1 import progress_pb2 as pb
from services.gateway.live import catch_up
from services.gateway.live.catch_up import CatchUps
from services.gateway.live.selection import Selection
from services.gateway.live.selection_events import Stream
from services.gateway.live.selection_topic import SelectionTopic
from tests.support.eventually import eventually

ALL = Selection((), "")


class Ends(list[bytes]):
    """Events of ends, whose memory can be watched."""


class WatchedSelection(Selection):
    """A selection, whose memory can be watched."""

    __slots__ = ("__weakref__",)


class Source:
    """Counts the questions."""

    def __init__(self) -> None:
        self.questions = 0

    async def ended_since(self, _selection: Selection, _resume_token: str) -> Sequence[pb.Batch]:
        """Return one end."""
        self.questions += 1
        return [pb.Batch(batch_id="b", revision=1, state=pb.BATCH_STATE_COMPLETED)]


async def test_viewers_with_the_same_position_share_one_question() -> None:
    source, topic = Source(), SelectionTopic()
    catch_ups = CatchUps(source)
    first = await catch_ups.find(ALL, "p", topic)
    assert await catch_ups.find(ALL, "p", topic) == first
    assert source.questions == 1


async def test_answer_is_kept_for_some_seconds_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody asks again, and yet its memory is free."""
    monkeypatch.setattr(catch_up, "FRESH_SECONDS", 0.01)
    catch_ups = CatchUps(Source())
    selection = WatchedSelection((), "")
    kept = weakref.ref(selection)
    await catch_ups.find(selection, "p", SelectionTopic())
    del selection
    await eventually(lambda: kept() is None)


def test_ends_are_forgotten_once_they_are_sent() -> None:
    """A stream stays open for hours."""
    ends = Ends([b"event: batch\n\n"])
    kept = weakref.ref(ends)
    stream = Stream(SelectionTopic(position="p"), 0, ends)
    del ends
    sent = b"".join(stream.first())
    assert b'{"resumed": true}' in sent
    gc.collect()
    assert kept() is None
