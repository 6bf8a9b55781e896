"""Which connection gives way when all places are taken."""

import pytest

from services.gateway.web.places import NoPlace, Places


class Connection:
    """A connection that remembers whether it was cut."""

    is_cut = False

    def cut(self) -> None:
        """Note it."""
        self.is_cut = True


@pytest.fixture
def places() -> Places:
    """Return eight places, seven of them for answers."""
    return Places(8)


def test_a_new_connection_replaces_the_one_that_has_waited_longest(places: Places) -> None:
    connections = _entered(places, 8)
    with places.answering(connections[0]):
        _entered(places, 2)
        assert [one.is_cut for one in connections] == [False, True, True, *5 * [False]]


def test_a_connection_that_was_answered_waits_anew(places: Places) -> None:
    connections = _entered(places, 8)
    with places.answering(connections[0]):
        pass
    _entered(places, 7)
    assert [one.is_cut for one in connections] == [False, *7 * [True]]


def test_answers_leave_places_to_others(places: Places) -> None:
    """So there is always a connection that can be replaced."""
    connections = _entered(places, 8)
    answers = [places.answering(one) for one in connections]
    for answer in answers[:7]:
        answer.__enter__()
    with pytest.raises(NoPlace):
        answers[7].__enter__()
    places.leave(connections[0])
    with places.answering(connections[7]):
        pass


def test_a_connection_that_was_cut_is_not_answered(places: Places) -> None:
    """Nor does it keep a place after its code has returned."""
    (first, *_) = _entered(places, 9)
    assert first.is_cut
    with pytest.raises(NoPlace):
        places.answering(first).__enter__()


def test_a_connection_that_is_closed_while_it_is_answered_keeps_no_place(places: Places) -> None:
    (gone,) = _entered(places, 1)
    with places.answering(gone):
        places.leave(gone)
    others = _entered(places, 8)
    assert not any(one.is_cut for one in [gone, *others])


def test_a_request_may_follow_before_the_code_of_the_previous_one_has_returned(places: Places) -> None:
    (connection,) = _entered(places, 1)
    with places.answering(connection), places.answering(connection):
        pass
    places.leave(connection)
    assert not any(one.is_cut for one in _entered(places, 8))


def _entered(places: Places, count: int) -> list[Connection]:
    connections = [Connection() for _ in range(count)]
    for one in connections:
        places.enter(one)
    return connections
