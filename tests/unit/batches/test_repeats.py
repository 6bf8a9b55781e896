"""When a group of results is recorded without reading what is recorded of its jobs."""

import random
from collections.abc import Callable
from functools import partial

from batches.store.repeats import GROUPS_MAX, GROUPS_MIN, Repeats

GROUPS = 20_000


def _written_in_vain(has_repeat: Callable[[], bool]) -> tuple[int, int]:
    """Return how many of GROUPS groups were written in vain, and of how many the attempts were read first."""
    repeats, in_vain, read = Repeats(), 0, 0
    for _ in range(GROUPS):
        found = has_repeat()
        if repeats.are_expected():
            read += 1
        else:
            repeats.note(found=found)
            in_vain += found
    return in_vain, read


def test_nothing_is_read_while_no_report_is_repeated() -> None:
    """As of a queue that runs each job once."""
    assert _written_in_vain(lambda: False) == (0, 0)


def test_a_thousandth_is_written_in_vain_while_all_reports_are_repeated() -> None:
    """Besides the first few, after which the pauses become longer."""
    in_vain, _ = _written_in_vain(lambda: True)
    assert in_vain <= GROUPS / GROUPS_MAX + 10


def test_at_most_a_seventeenth_is_written_in_vain_however_many_are_repeated() -> None:
    """Groups with and without a repeat come in any order."""
    for tenths in range(1, 10):
        chance = random.Random(tenths)
        in_vain, _ = _written_in_vain(partial(_happens, chance, tenths / 10))
        assert in_vain <= GROUPS / (GROUPS_MIN + 1)


def _happens(chance: random.Random, probability: float) -> bool:
    return chance.random() < probability


def test_a_rare_repeat_lets_few_groups_be_read_first() -> None:
    """The pause is short again after a group without a repeat."""
    numbers = iter(range(GROUPS))
    in_vain, read = _written_in_vain(lambda: next(numbers) % 1_000 == 0)
    assert in_vain == GROUPS / 1_000
    assert read == in_vain * GROUPS_MIN
