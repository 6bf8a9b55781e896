"""Many watched batches: which changes a viewer has still to be sent."""

from collections.abc import Sequence
from typing import Any

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from batchprogress.v1 import progress_pb2 as pb
from rpc.answers.refusal import Refusal
from services.gateway.contract.answers import to_answer
from services.gateway.live import selection_topic
from services.gateway.live.problems import Problem, away
from services.gateway.live.selection import Selection
from services.gateway.live.selection_topic import Change, SelectionTopic

RUNNING, ENDED = pb.BATCH_STATE_PROCESSING, pb.BATCH_STATE_COMPLETED


def state(
    batch_id: str, revision: int = 1, *, created: int = 1, ended: bool = False, **fields: Any
) -> pb.Batch:
    """Return a state of a batch."""
    return pb.Batch(
        batch_id=batch_id,
        revision=revision,
        state=ENDED if ended else RUNNING,
        create_time=Timestamp(seconds=created),
        **fields,
    )


def take(topic: SelectionTopic, *batches: pb.Batch, position: str = "p") -> None:
    """Let a watch bring batches."""
    for batch in batches:
        topic.take(pb.WatchBatchesResponse(batch=batch, resume_token=position))


def live(*batches: pb.Batch, position: str = "p") -> SelectionTopic:
    """Return a topic whose first states were sent."""
    topic = SelectionTopic()
    watch(topic, *batches, position=position)
    return topic


def watch(topic: SelectionTopic, *batches: pb.Batch, position: str = "p") -> None:
    """Let another watch begin with batches."""
    topic.begin()
    take(topic, *batches, position=position)
    topic.take(pb.WatchBatchesResponse(resume_token=position))


def seen(changes: Sequence[Change]) -> list[tuple[str, int]]:
    """Return the ids and revisions of changes."""
    return [(one.batch.batch_id, one.batch.revision) for one in changes]


def test_slow_viewer_is_sent_the_newest_state_of_each_batch_and_every_end() -> None:
    topic = live(state("a"), state("b"))
    number = topic.number
    take(topic, state("a", 2), state("b", 2), state("a", 3), state("a", 4, ended=True), state("b", 3))
    assert seen(topic.since(number)) == [("a", 4), ("b", 3)]
    assert topic.since(topic.number) == []


def test_first_states_are_the_newest_batch_first() -> None:
    topic = live(state("a", created=1), state("c", created=3), state("b", created=2))
    take(topic, state("a", 2))
    assert [one.batch.batch_id for one in topic.running()] == ["c", "b", "a"]


def test_batch_that_another_watch_does_not_begin_with_is_gone() -> None:
    topic = live(state("a"), state("b"))
    number = topic.number
    watch(topic, state("b"))
    assert seen(topic.since(number)) == [("a", 0)]
    assert topic.since(number)[0].event == b'event: deleted\ndata: {"batchId": "a"}\n\n'


def test_state_that_was_sent_before_is_no_change() -> None:
    topic = live(state("a", 5))
    number = topic.number
    take(topic, state("a", 5), state("a", 4))
    watch(topic, state("a", 5))
    assert topic.since(number) == []


def test_first_state_of_another_watch_may_be_older_since_a_fail_over_loses_changes() -> None:
    topic = live(state("a", 5))
    number = topic.number
    watch(topic, state("a", 3))
    assert seen(topic.since(number)) == [("a", 3)]


def test_end_that_is_sent_twice_is_one_change() -> None:
    topic = live(state("a"))
    take(topic, state("a", 2, ended=True))
    number = topic.number
    watch(topic, state("a", 2, ended=True))
    assert topic.since(number) == []


def test_late_end_of_a_replaced_batch_hides_no_new_one() -> None:
    topic = live(state("a", created=9))
    take(topic, state("a", 7, created=1, ended=True))
    assert seen(topic.running()) == [("a", 1)]


def test_viewer_that_comes_back_goes_on_where_it_was() -> None:
    topic = live(state("a"), position="first")
    take(topic, state("a", 2), position="second")
    take(topic, state("a", 3, ended=True), position="third")
    number = topic.number_at("second")
    assert number is not None
    assert seen(topic.since(number)) == [("a", 3)]
    assert topic.number_at("of another gateway") is None


def test_end_that_comes_with_a_position_may_follow_it() -> None:
    """A viewer of another gateway may have the position without the end."""
    topic = live(state("a"), position="first")
    take(topic, state("a", 2, ended=True), position="second")
    number = topic.number_at("second")
    assert number is not None
    assert seen(topic.since(number)) == [("a", 2)]


def test_viewer_that_has_missed_more_ends_than_are_kept_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selection_topic, "ENDS_MAX", 2)
    topic = live(position="first")
    number = topic.number
    take(topic, *(state(name, ended=True) for name in "abc"), position="second")
    assert not topic.has_all_since(number)
    assert topic.number_at("first") is None
    assert topic.has_all_since(topic.number)


def test_stall_is_a_change_although_it_changes_no_revision() -> None:
    """A read may be late: it brings neither another revision nor a batch that has ended."""
    topic = live(state("a", 2), state("b", 2))
    number = topic.number
    stalled: dict[str, Any] = {"stall_reason": "no result for 5 min"}
    topic.take_stalled([state("a", 2, **stalled), state("b", 1, **stalled), state("c", **stalled)])
    assert seen(topic.since(number)) == [("a", 2)]
    assert b"no result for 5 min" in topic.since(number)[0].event
    number = topic.number
    topic.take_stalled([state("a", 2, **stalled)])
    assert topic.since(number) == []


def test_problem_holds_until_the_next_watch_has_sent_all() -> None:
    topic = live(state("a"))
    assert topic.fail(away())
    assert not topic.fail(away())
    topic.begin()
    take(topic, state("a", 2))
    assert topic.problem is not None
    topic.take(pb.WatchBatchesResponse(resume_token="p"))
    assert topic.problem is None
    refused = to_answer(Refusal(grpc.StatusCode.FAILED_PRECONDITION, "TOO_MANY_BATCHES", "too many"))
    topic.fail(Problem(refused, is_final=True))
    assert topic.is_last


@pytest.mark.parametrize(
    ("wanted", "of_the_token", "allowed"),
    [
        ("", "", ""),
        ("", "team-a/", "team-a/"),
        ("team-a/b", "team-a/", "team-a/b"),
        ("team-b/", "team-a/", None),
    ],
)
def test_viewer_sees_no_batch_beyond_the_prefix_of_its_token(
    wanted: str, of_the_token: str, allowed: str | None
) -> None:
    found = Selection((), wanted).within(of_the_token)
    assert (found and found.id_prefix) == allowed
