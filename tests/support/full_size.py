"""Runs in full size: they end in time, and list every scenario with its figures."""

import time

import pytest

from tests.faults.conftest import FULL
from tests.faults.summary import markdown
from tests.support import not_run
from tests.support.notes import FIGURES

FOLDERS = ("tests/cluster/", "tests/proxies/")
TEST_SECONDS_MAX = 480.0
"""A test that takes longer is ended; most take one or two minutes, and one of proxies seven."""
RUN_SECONDS_MAX = 32 * 60.0
"""A test that would begin later is not run, so that a run ends within 40 minutes."""
TITLES = ("scenario", "outcome", "seconds", "figures, or why it failed")
REASON_CHARACTERS_MAX = 200

_STARTED = time.monotonic()


def require_time(item: pytest.Item) -> None:
    """Skip a test that would begin too late, before its servers are started."""
    if FULL and time.monotonic() - _STARTED > RUN_SECONDS_MAX:
        not_run.absent(f"{item.name}, since the run has taken {RUN_SECONDS_MAX / 60:g} minutes")


def table(reporter: pytest.TerminalReporter) -> list[str]:
    """Return all scenarios of a run in full size, as Markdown."""
    reports = (one for group in reporter.stats.values() for one in group)
    ended = [one for one in reports if isinstance(one, pytest.TestReport) and _is_end(one)]
    return markdown(TITLES, [_row(one) for one in sorted(ended, key=lambda one: one.nodeid)])


def _is_end(report: pytest.TestReport) -> bool:
    """Return whether this is the report of a test's call, or of a phase in which it ended otherwise."""
    is_ours = FULL and report.nodeid.startswith(FOLDERS)
    return is_ours and (report.when == "call" or not report.passed)


def _row(report: pytest.TestReport) -> tuple[str, str, str, str]:
    figures = "; ".join(str(value) for name, value in report.user_properties if name == FIGURES)
    crash = getattr(report.longrepr, "reprcrash", None)
    reason = crash.message if crash else str(report.longrepr[2]) if report.skipped else ""  # type: ignore[index]
    text = " ".join(f"{figures} {reason}".split())[:REASON_CHARACTERS_MAX].replace("|", "/")
    return report.nodeid.partition("/")[2], report.outcome, f"{report.duration:.0f}", text
