"""What is claimed about speed is what the newest whole run of the benchmark has measured."""

import re

import pytest

from bench.report.history import Compared, history, read_history
from bench.rows import STABLE
from tests.docs.markdown import ROOT

BENCH = ROOT / "bench"
UNARY = "Unary, 1,037 workers, one batch"
BULK = "500 results per call, 16 callers, one batch"
WORKERS = "workers: Unary, one batch, from one worker on, one round"
ROW_LOCK = "row lock per report"
CLAIMS = {
    "it records {rate} results per second": (f"row-lock: {UNARY}", "results/s", ROW_LOCK),
    "{ratio} × the server CPU of an empty gRPC handler": (
        f"empty-handler: {UNARY}",
        "server CPU per result, µs",
        "empty handler",
    ),
    "{ratio} × the rate of a row lock": (f"row-lock: {UNARY}", "results/s", ROW_LOCK),
    "{ratio} × that of Redis HINCRBY": (f"counters: {UNARY}", "results/s", "Redis HINCRBY"),
    "it records {rate} per second, {ratio} × HINCRBY": (f"counters: {BULK}", "results/s", "Redis HINCRBY"),
    "gets {rate} per second, {ratio} × a row lock": (WORKERS, "results/s, 1 workers", ROW_LOCK),
}
"""The sentences of the README, and the comparison that each is about."""
FLAT = (0.9, 1.1)
"""Rates on ten million and on ten thousand rows whose quotient lies between these are called equal."""


def newest() -> dict[tuple[str, str, str], Compared]:
    """Return the comparisons of the newest whole run."""
    return read_history(BENCH)[0].by_key()


def performance() -> str:
    """Return the section of the README, in one line."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    return " ".join(text.split("## Performance\n")[1].split("\n## ")[0].split())


def claimed() -> list[str]:
    """Return the claims with the figures of the newest whole run."""
    run = newest()
    return [
        sentence.format(rate=f"{run[key].ours:,.0f}", ratio=f"{run[key].ratio:.1f}")
        for sentence, key in CLAIMS.items()
    ]


@pytest.mark.parametrize("claim", claimed())
def test_the_readme_claims_what_the_newest_whole_run_measured(claim: str) -> None:
    """A whole run that measures something else changes the README, too."""
    assert claim in performance(), f"write into the README: {claim}"


def test_every_figure_in_the_readme_is_one_that_was_measured() -> None:
    """A new claim needs an entry in CLAIMS."""
    figure = r"[\d,.]*\d(?= ×| results per second| per second)"
    assert re.findall(figure, performance()) == re.findall(figure, " … ".join(claimed()))


def test_a_large_table_is_as_fast_as_a_small_one() -> None:
    """The README claims it."""
    assert "A table of ten million rows is as fast as one of ten thousand." in performance()
    row = "table-size: 500 results per call, 16 callers, 64 batches, on tables of different sizes"
    low, high = FLAT
    assert low <= newest()[row, "results/s on 10,000,000 rows", "10,000 rows"].ratio <= high


def test_the_report_shows_the_history() -> None:
    """A whole run writes both; nobody edits either by hand."""
    report = (BENCH / "RESULTS.md").read_text(encoding="utf-8")
    assert report.endswith("\n".join(history(read_history(BENCH))) + "\n")


def test_the_newest_run_of_the_history_is_the_report() -> None:
    """Each ratio of the history stands in a table of the report."""
    tables = (BENCH / "RESULTS.md").read_text(encoding="utf-8").partition("## History")[0]
    for one in newest().values():
        assert re.search(
            rf"\| {re.escape(one.what)} \| {re.escape(one.peer)} \| .*\*\*{one.ratio:.2f}\*\*", tables
        ), one


def test_the_newest_run_has_what_a_check_compares() -> None:
    """Otherwise `make bench-check` would compare nothing, and pass."""
    found = {(one.row.partition(":")[0], one.what) for one in newest().values()}
    assert {(row, what) for row, whats in STABLE.items() for what in whats} <= found
