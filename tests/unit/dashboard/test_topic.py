"""The current view of a watched batch."""

from services.dashboard.errors import ServerAway
from services.dashboard.states import Snapshot
from services.dashboard.topic import Topic


def test_an_older_state_replaces_no_newer_one() -> None:
    """A polled state may be older than the stream's: it clears the problem and keeps the newer state."""
    topic = Topic()
    topic.update(_state(2))
    topic.fail(ServerAway())
    topic.update(_state(1))
    assert topic.view.problem is None
    assert topic.revision == 2


def _state(revision: int) -> Snapshot:
    return Snapshot(
        revision, has_ended=False, created_at=0, newest_result_at=0, ended_jobs=0, failed_jobs=0, json=""
    )
