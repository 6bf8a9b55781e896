"""In which order the parts of calls are recorded."""

import random

from batches.result import JobOutcome, JobResult
from services.progress.turns import (
    CHARACTERS_PER_WORK,
    GROUP_WORK_MAX,
    PART_WORK_MAX,
    SMALL_EXPECTED_GROUPS,
    TURN_WORK_MAX,
    Turns,
    parts_of,
)


def results(number: int, error_message: str = "") -> list[JobResult]:
    """Return results."""
    return [JobResult("b", f"j{n}", JobOutcome.FAILED, error_message=error_message) for n in range(number)]


def waiting(**calls: int) -> Turns[str]:
    """Return turns in which each caller has a call, named like itself, with a number of results."""
    turns = Turns[str]()
    for caller, number in calls.items():
        turns.add(caller, parts_of(caller, results(number)))
    return turns


def sizes(turns: Turns[str], large_work_max: int = TURN_WORK_MAX) -> list[tuple[str, int]]:
    """Take a group; return each call in it, and the number of its results."""
    number: dict[str, int] = {}
    for part in turns.take_group(large_work_max=large_work_max):
        number[part.call] = number.get(part.call, 0) + len(part.results)
    return [*number.items()]


def test_caller_that_waits_alone_fills_the_group() -> None:
    assert sizes(waiting(a=10_000)) == [("a", GROUP_WORK_MAX)]


def test_each_caller_has_one_turn_in_a_group() -> None:
    turns = waiting(a=10_000, b=100, c=10_000)
    assert sizes(turns) == [("a", TURN_WORK_MAX), ("b", 100), ("c", TURN_WORK_MAX)]
    assert sizes(turns) == [("a", TURN_WORK_MAX), ("c", TURN_WORK_MAX)]


def test_large_calls_share_one_turn_while_small_ones_are_expected() -> None:
    """A small call waits for the group ahead of it: four turns would take four times as long."""
    turns = waiting(a=30_000, b=30_000, small=1)
    assert sizes(turns) == [("small", 1)]
    following = [sizes(turns) for _ in range(SMALL_EXPECTED_GROUPS)]
    assert following[:4] == [[("a", TURN_WORK_MAX)], [("b", TURN_WORK_MAX)]] * 2
    assert {len(group) for group in following[:-1]} == {1}
    assert following[-1] == [("b", TURN_WORK_MAX), ("a", TURN_WORK_MAX)]


def test_large_calls_may_have_less_than_a_turn() -> None:
    turns = waiting(a=10_000, b=10_000, small=1)
    groups = [sizes(turns, large_work_max=2 * PART_WORK_MAX) for _ in range(3)]
    assert groups == [[("small", 1)], [("a", 2 * PART_WORK_MAX)], [("b", 2 * PART_WORK_MAX)]]


def test_small_calls_do_not_wait_for_the_large_ones_of_their_group() -> None:
    """And however many small calls come, the large ones are in every other group."""
    turns = waiting(a=10_000, b=10_000, **{f"small{number}": 1 for number in range(1_037)})
    assert len(sizes(turns)) == 1_037
    groups = []
    for number in range(4):
        turns.add("small", parts_of(f"small{number}", results(1)))
        groups.append(sizes(turns))
    assert groups[0] == [("a", TURN_WORK_MAX), ("small0", 1)]
    assert groups[1] == [("small1", 1)]
    assert groups[2] == [("b", TURN_WORK_MAX), ("small2", 1)]
    assert groups[3] == [("small3", 1)]


def test_rest_of_a_large_call_is_not_a_small_one() -> None:
    """Otherwise a caller would pass others with calls of 1,001 results."""
    turns = waiting(b=10_000, small=1)
    turns.add("a", parts_of("a", results(PART_WORK_MAX + 1)))
    assert sizes(turns) == [("small", 1)]
    assert sizes(turns, PART_WORK_MAX) == [("b", PART_WORK_MAX)]
    assert sizes(turns, PART_WORK_MAX) == [("a", PART_WORK_MAX)]
    assert sizes(turns, PART_WORK_MAX) == [("b", PART_WORK_MAX)]


def test_large_results_do_not_ride_behind_small_ones_of_their_caller() -> None:
    turns = waiting(a=1, b=1)
    turns.add("a", parts_of("large", results(10_000)))
    assert sizes(turns) == [("a", 1), ("b", 1)]
    assert sizes(turns) == [("large", TURN_WORK_MAX)]


def test_single_result_is_small_whatever_its_error() -> None:
    turns = waiting(a=10_000)
    turns.add("worker", parts_of("failure", results(1, "x" * 2_000)))
    assert sizes(turns) == [("failure", 1)]


def test_callers_without_room_in_a_group_are_first_in_the_next() -> None:
    turns = waiting(a=1_000, b=1_000, c=1_000, d=1_000, e=1_000)
    assert [caller for caller, _ in sizes(turns)] == ["a", "b", "c", "d"]
    assert [caller for caller, _ in sizes(turns)] == ["e", "a", "b", "c"]


def test_calls_of_one_caller_share_its_turn() -> None:
    turns = waiting(b=1)
    for number in range(600):
        turns.add("a", parts_of(f"a{number}", results(1)))
    assert len(turns.take_group()) == 1 + TURN_WORK_MAX
    assert len(turns.take_group()) == 100


def test_result_with_a_long_error_counts_several_times() -> None:
    """Otherwise a turn of these would take ten times as long."""
    (part,) = parts_of("a", results(10, "x" * (9 * CHARACTERS_PER_WORK)))
    assert part.work == 100
    parts = parts_of("a", results(20, "x" * (9 * CHARACTERS_PER_WORK)))
    assert [len(part.results) for part in parts] == [10, 10]


def test_result_that_is_larger_than_a_turn_has_a_turn() -> None:
    turns = waiting(b=1)
    turns.add("a", parts_of("a", results(2, "x" * (2 * GROUP_WORK_MAX * CHARACTERS_PER_WORK))))
    taken = [sizes(turns) for _ in range(3)]
    assert taken == [[("b", 1)], [("a", 1)], [("a", 1)]]


def test_dropped_call_leaves_nothing_behind() -> None:
    turns = waiting(a=1_000, b=1_000)
    assert turns.drop("a", "a") == 1_000 // PART_WORK_MAX
    assert turns.drop("a", "a") == 0
    assert sizes(turns) == [("b", 1_000)]
    assert (turns.parts, turns.work, turns.take_group()) == (0, 0, [])


def test_every_result_is_taken_once_and_in_the_order_of_its_caller() -> None:
    """This holds for any calls of any callers."""
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    order = random.Random(seed)
    turns = Turns[int]()
    sent: dict[int, list[JobResult]] = {}
    taken: dict[int, list[JobResult]] = {}
    for number in range(300):
        caller = order.randrange(5)
        call = results(order.choice((1, 3, 700)), "x" * order.choice((0, 150, 2_000)))
        sent.setdefault(caller, []).extend(call)
        turns.add(caller, parts_of(caller, call))
        if number % 3 == 0:
            for part in turns.take_group():
                taken.setdefault(part.call, []).extend(part.results)
    while group := turns.take_group():
        for part in group:
            taken.setdefault(part.call, []).extend(part.results)
    assert taken == sent
    assert (turns.parts, turns.work) == (0, 0)
