"""The story of `make run` is told in order and leaves nothing behind."""

import json
import os
import re
import secrets
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pexpect
import pytest

from tests.support.leftovers import VARIABLE, processes_left

pytestmark = pytest.mark.xdist_group("demo")  # one run of the story serves several tests

ROOT = Path(__file__).parents[2]
END_SECONDS_MAX = 90
"""Three times what the story may take, since other tests keep the machine busy."""
INTERRUPTED = 130
KEY_LINES = (
    "The servers are ready",
    "0/1037, 0 %, 0 failed, processing",
    "1,030 workers reported",
    "Stuck at 1030/1037, 99 %: 7 workers were killed",
    "python -m reconciler --all --dry-run",
    "python -m reconciler --all:",
    "The same stream says 1037/1037, 100 %, completed, and the server has ended it (OK).",
    "The webhook batch.completed arrived, with a valid signature: 1037/1037.",
    "differences: 0",
    "reported by workers   1,030",
    "repaired              7",
    "failed                12",
    "strictly rising",
    "Nothing is left behind",
)


@dataclass(frozen=True, slots=True)
class Told:
    """The output of a demo that has ended, and what it left behind."""

    exit_code: int
    output: str
    processes: list[str]
    files: list[Path]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    """Run the story to its end."""
    folder = tmp_path_factory.mktemp("told")
    with _demo(folder, "--seconds", "2") as (demo, mark):
        return _ended(demo, mark, folder)


def test_tells_the_story_in_order(told: Told) -> None:
    """It ends with exit code 0, and the key lines are in order."""
    assert told.exit_code == 0, told.output
    assert _missing(told.output) == []


def test_log_has_a_line_for_each_ten_percent(told: Told) -> None:
    """A log has a dozen lines of progress, not a thousand."""
    lines = [line for line in told.output.splitlines() if line.endswith((", processing", ", completed"))]
    percents = [int(line.split(", ")[1].removesuffix(" %")) for line in lines]
    assert (percents[0], percents[-1]) == (0, 100)
    assert all(after - before >= 10 for before, after in pairwise(percents[:-1]))


def test_leaves_nothing_behind(told: Told) -> None:
    """No process and no file is left."""
    assert (told.processes, told.files) == ([], [])


def test_ctrl_c_leaves_nothing_behind(tmp_path: Path) -> None:
    """SIGINT in the middle of the work ends all processes and removes the folder."""
    with _demo(tmp_path, "--seconds", "30") as (demo, mark):
        _wait_for(demo, r" [1-9]\d %")
        assert len(list(tmp_path.iterdir())) == 1
        demo.send_signal(signal.SIGINT)
        interrupted = _ended(demo, mark, tmp_path)
    assert interrupted.exit_code == INTERRUPTED, interrupted.output
    assert (interrupted.processes, interrupted.files) == ([], [])


def test_second_ctrl_c_does_not_interrupt_the_cleanup(tmp_path: Path) -> None:
    """A second SIGINT changes nothing."""
    with _demo(tmp_path, "--seconds", "30") as (demo, mark):
        _wait_for(demo, " 0 %")
        demo.send_signal(signal.SIGINT)
        _wait_for(demo, "Interrupted")
        demo.send_signal(signal.SIGINT)
        interrupted = _ended(demo, mark, tmp_path)
    assert interrupted.exit_code == INTERRUPTED, interrupted.output
    assert (interrupted.processes, interrupted.files) == ([], [])


def test_keep_serves_until_ctrl_c_in_a_terminal(tmp_path: Path) -> None:
    """The page is there from the start, a bar shows the progress, and Ctrl-C ends the servers."""
    mark = secrets.token_hex(8)
    demo = pexpect.spawn(
        sys.executable,
        ["-m", "demo", "--jobs", "100", "--seconds", "1"],
        cwd=str(ROOT),
        env={**os.environ, "TMPDIR": str(tmp_path), VARIABLE: mark, "KEEP": "1", "TERM": "xterm"},
        dimensions=(40, 100),
        timeout=END_SECONDS_MAX,
        encoding="utf-8",
    )
    demo.expect(r"The page shows it: (http://127\.0\.0\.1:\d+/)")
    page = str(demo.match[1])
    demo.expect(r"registry-sync +\S*━+.* 0 % .*0/100")
    demo.expect("Still serving")
    with urllib.request.urlopen(f"{page}v1/batches") as answer:  # noqa: S310  # the demo's own
        (batch,) = json.load(answer)["batches"]
    assert (batch["batchId"], batch["percentComplete"]) == ("registry-sync", 100)
    demo.sendintr()
    demo.expect("Nothing is left behind")
    demo.expect(pexpect.EOF)
    demo.close()
    assert (demo.exitstatus, processes_left(mark), list(tmp_path.iterdir())) == (0, [], [])


@contextmanager
def _demo(folder: Path, *arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Start the demo with a folder for its temporary files and a mark that its processes inherit."""
    mark = secrets.token_hex(8)
    with subprocess.Popen(
        [sys.executable, "-m", "demo", *arguments],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(folder), VARIABLE: mark},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as demo:
        try:
            yield demo, mark
        finally:
            demo.kill()


def _wait_for(demo: subprocess.Popen[str], pattern: str) -> None:
    assert demo.stdout is not None
    assert any(re.search(pattern, line) for line in demo.stdout)


def _ended(demo: subprocess.Popen[str], mark: str, folder: Path) -> Told:
    output, _ = demo.communicate(timeout=END_SECONDS_MAX)
    return Told(demo.returncode, output, processes_left(mark), list(folder.iterdir()))


def _missing(output: str) -> list[str]:
    """Return the key lines that are missing in the output or out of order."""
    missing, at = [], 0
    for line in KEY_LINES:
        found = output.find(line, at)
        if found < 0:
            missing.append(line)
        else:
            at = found + len(line)
    return missing
