"""The history of the benchmark, and the check that compares new ratios with it."""

from pathlib import Path

import pytest

from bench.report.check import WORSE_FACTOR, check
from bench.report.history import (
    RUNS_MAX,
    Compared,
    PastRun,
    compared_in,
    history,
    read_history,
    write_history,
)
from bench.report.results import Row, compare_values

CPU = "server CPU per result, µs"
RATE = "results/s"
STABLE = {"a": (CPU, RATE)}


def compared(what: str, ratio: float, row: str = "a: one batch") -> Compared:
    """Return a comparison."""
    return Compared(row, what, "a peer", 10.0, ratio)


def verdicts(now: Compared, before: Compared) -> list[bool]:
    """Return whether each checked ratio is worse."""
    return [one.is_worse for one in check([now], PastRun("2026-11-24", "abc", [before]), STABLE)]


@pytest.mark.parametrize(
    ("what", "ratio", "is_worse"),
    [
        (CPU, 1.0, False),
        (CPU, 0.1, False),
        (CPU, WORSE_FACTOR - 0.01, False),
        (CPU, WORSE_FACTOR + 0.01, True),
        (RATE, 9.0, False),
        (RATE, 1 / WORSE_FACTOR + 0.01, False),
        (RATE, 1 / WORSE_FACTOR - 0.01, True),
    ],
)
def test_a_check_fails_if_a_ratio_is_worse_by_more_than_a_third(
    what: str, ratio: float, *, is_worse: bool
) -> None:
    """Of a rate less is worse, of everything else more."""
    assert verdicts(compared(what, ratio), compared(what, 1.0)) == [is_worse]


def test_only_stable_ratios_are_checked() -> None:
    """Others differ by more than a third on a busy machine."""
    assert verdicts(compared("p99, ms", 99.0), compared("p99, ms", 1.0)) == []
    assert verdicts(compared(CPU, 99.0, "b: one batch"), compared(CPU, 1.0, "b: one batch")) == []


def test_what_the_newest_run_did_not_measure_is_not_checked() -> None:
    """A new row has nothing to be compared with before the next whole run."""
    assert verdicts(compared(CPU, 99.0, "a: two batches"), compared(CPU, 1.0)) == []


def test_a_failed_check_names_both_ratios() -> None:
    """The line says what has become worse, and by how much."""
    (one,) = check([compared(CPU, 2.0)], PastRun("2026-11-24", "abc", [compared(CPU, 1.0)]), STABLE)
    assert str(one) == (
        "WORSE: a: one batch: server CPU per result, µs: 2.00 × a peer, 1.00 × in the newest whole run"
    )


def test_the_newest_runs_are_kept_in_order(tmp_path: Path) -> None:
    """The oldest ones are left out."""
    runs = [PastRun(str(number), "abc", [compared(CPU, number)]) for number in range(RUNS_MAX + 1)]
    write_history(tmp_path, runs)
    assert read_history(tmp_path) == runs[:RUNS_MAX]
    assert read_history(tmp_path / "missing") == []


def test_the_table_has_a_column_for_each_run() -> None:
    """Comparisons are those of the newest run; where an older one lacks one, its place is empty."""
    runs = [
        PastRun("2026-12-01", "def", [compared(CPU, 1.25), compared(RATE, 2.0)]),
        PastRun("2026-11-24", "abc", [compared(CPU, 1.5)]),
    ]
    assert list(history(runs))[-3:] == [
        "| --- | --- | --- | --- | --- |",
        "| a: one batch | server CPU per result, µs | a peer | 1.25 | 1.50 |",
        "| a: one batch | results/s | a peer | 2.00 |  |",
    ]


def test_figures_in_a_title_do_not_change_the_name_of_a_row() -> None:
    """Otherwise no run could be compared with another."""
    row = Row("overload: unary; the knee is 2,548 results/s")
    row.comparisons = [compare_values(RATE, "closed loop", [3.0, 1.0, 2.0], [2.0, 2.0, 2.0])]
    assert compared_in([row]) == [Compared("overload: unary", RATE, "closed loop", 2.0, 1.0)]


def test_the_history_shows_a_ratio_as_the_report_does() -> None:
    """It is rounded once: 0.4546 is 0.45 in both."""
    row = Row("a: one batch", comparisons=[compare_values(RATE, "a peer", [0.4546], [1.0])])
    (now,) = compared_in([row])
    assert f"{now.ratio:.2f}" == f"{row.comparisons[0].ratio:.2f}" == "0.45"
