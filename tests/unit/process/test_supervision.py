"""Which children a parent starts, when, and with which code it ends."""

import pytest

from process.children.supervision import (
    DEATHS_IN_A_ROW_MAX,
    RESTART_SECONDS_FIRST,
    RESTART_SECONDS_MAX,
    STEADY_SECONDS,
    Supervision,
)

KILLED = 137


def serving(children: int) -> Supervision:
    """Return a supervision whose children all serve, since time 0."""
    supervision = Supervision(children)
    for number in range(1, children + 1):
        assert number in supervision.due(0.0)
        supervision.started(number)
        supervision.serves(number, 0.0)
    return supervision


def test_others_start_when_the_first_child_serves() -> None:
    supervision = Supervision(3)
    assert supervision.due(0.0) == [1]
    supervision.started(1)
    assert (supervision.due(9.0), supervision.next_start) == ([], None)
    supervision.serves(1, 10.0)
    assert supervision.due(10.0) == [2, 3]


def test_the_server_serves_once_when_all_children_do() -> None:
    """A child that comes back changes nothing."""
    supervision = Supervision(2)
    supervision.started(1)
    assert not supervision.serves(1, 0.0)
    supervision.started(2)
    assert supervision.serves(2, 0.0)
    supervision.ended(2, KILLED, 1.0)
    supervision.started(2)
    assert not supervision.serves(2, 2.0)


@pytest.mark.parametrize("code", [1, 78])
def test_first_child_that_cannot_start_ends_the_program(code: int) -> None:
    """No other child is started, which would say the same again."""
    supervision = Supervision(2)
    supervision.started(1)
    assert supervision.ended(1, code, 1.0) is None
    assert (supervision.is_over, supervision.code, supervision.due(100.0)) == (True, code, [])


@pytest.mark.parametrize("code", [0, 1, KILLED])
def test_child_that_ends_is_started_again(code: int) -> None:
    """The others go on."""
    supervision = serving(2)
    assert supervision.ended(1, code, 100.0) == RESTART_SECONDS_FIRST
    assert not supervision.is_stopping
    assert supervision.due(100.0) == []
    assert supervision.next_start == 100.0 + RESTART_SECONDS_FIRST
    assert supervision.due(100.0 + RESTART_SECONDS_FIRST) == [1]


def test_delay_doubles_up_to_its_limit_and_then_all_end() -> None:
    """The exit code is that of the child that cannot stay."""
    supervision, delays = serving(2), []
    for _ in range(DEATHS_IN_A_ROW_MAX - 1):
        delays.append(supervision.ended(1, KILLED, 0.0))
        supervision.started(1)
    assert delays[:3] == [RESTART_SECONDS_FIRST, 2 * RESTART_SECONDS_FIRST, 4 * RESTART_SECONDS_FIRST]
    assert delays[-1] == RESTART_SECONDS_MAX
    assert supervision.ended(1, KILLED, 0.0) is None
    assert (supervision.is_stopping, supervision.is_over) == (True, False)
    supervision.ended(2, 0, 1.0)
    assert (supervision.is_over, supervision.code) == (True, KILLED)


def test_delay_begins_again_after_steady_service() -> None:
    """A child that starts and dies, however often, is not steady."""
    supervision, now = serving(1), 0.0
    for served_seconds, expected in ((STEADY_SECONDS, 1), (STEADY_SECONDS - 1, 2), (STEADY_SECONDS, 1)):
        now += served_seconds
        assert supervision.ended(1, KILLED, now) == expected * RESTART_SECONDS_FIRST
        supervision.started(1)
        supervision.serves(1, now)


def test_time_without_service_is_not_steady() -> None:
    """A child that waits for its database for minutes, and then ends, has not served."""
    supervision = serving(1)
    supervision.ended(1, KILLED, 0.0)
    supervision.started(1)
    assert supervision.ended(1, 1, 10 * STEADY_SECONDS) == 2 * RESTART_SECONDS_FIRST


def test_restarted_child_with_a_wrong_setting_ends_all() -> None:
    """Another start cannot help; the others are stopped, too."""
    supervision = serving(2)
    supervision.ended(1, KILLED, 0.0)
    supervision.started(1)
    assert supervision.ended(1, 78, 1.0) is None
    supervision.ended(2, 0, 2.0)
    assert (supervision.is_over, supervision.code) == (True, 78)


def test_program_ends_with_the_first_code_that_is_not_0() -> None:
    supervision = serving(3)
    supervision.stop()
    for number, code in enumerate((0, 3, 4), start=1):
        assert not supervision.is_over
        assert supervision.ended(number, code, 1.0) is None
    assert (supervision.is_over, supervision.code) == (True, 3)


def test_stopping_program_starts_no_child() -> None:
    """Neither one that waits for its restart, nor one that has not been started."""
    supervision = serving(2)
    supervision.ended(1, KILLED, 0.0)
    supervision.stop()
    assert (supervision.due(100.0), supervision.next_start) == ([], None)
    supervision.ended(2, 0, 1.0)
    assert (supervision.is_over, supervision.code) == (True, 0)
