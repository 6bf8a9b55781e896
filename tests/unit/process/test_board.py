"""What a probe learns of all processes of a server."""

from process.children.board import SILENT_SECONDS_MAX, Board


def test_server_is_ready_if_every_running_process_is() -> None:
    """A process that has not spoken yet, or has ended, is left out."""
    board = Board(3)
    assert (board.is_ready(10.0), board.is_alive(10.0)) == (False, True), "nobody can answer a call"
    board.tell(1, ready=True, now=10.0)
    board.tell(3, ready=True, now=10.0)
    assert board.is_ready(11.0)
    board.tell(3, ready=False, now=11.0)
    assert (board.is_ready(11.0), board.is_alive(11.0)) == (False, True)
    board.clear(3)
    assert board.is_ready(11.0)


def test_process_that_falls_silent_is_not_alive() -> None:
    """Nor is it ready, whatever it said."""
    board = Board(2)
    board.tell(1, ready=True, now=100.0)
    board.tell(2, ready=True, now=100.0 + SILENT_SECONDS_MAX)
    assert board.is_alive(100.0 + SILENT_SECONDS_MAX)
    late = 100.5 + SILENT_SECONDS_MAX
    assert (board.is_alive(late), board.is_ready(late)) == (False, False)
