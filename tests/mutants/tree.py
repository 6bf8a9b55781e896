"""A copy of the checkout, in which a file can be changed and tests can be run."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.mutants.mutant import Change, Mutant, StaleMutant

CHECKOUT = Path(__file__).parents[2]
TEST_SECONDS_MAX = 120.0
"""A listed test takes seconds; with its change made it may wait for ever."""
TIMED_OUT = -1
PLUGINS_OFF = ("-p", "no:cacheprovider", "-p", "no:hypothesispytest")
"""The second one imports all of Hypothesis at the end of each run, a quarter of the time of a short one."""


class Tree:
    """A copy of every file that git does not ignore, with the compiled bytecode next to them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        for name in _names_in_git():
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(CHECKOUT / name, target)
        for compiled in _bytecode_folders(folder):
            shutil.copytree(CHECKOUT / compiled, folder / compiled)

    @contextmanager
    def changed(self, mutant: Mutant) -> Iterator[None]:
        """Make the changes of a mutant while the context is open.

        Raises:
            StaleMutant: a file is missing, or a text to replace is not exactly once in its file.

        """
        with ExitStack() as stack:
            for change in mutant.changes:
                stack.enter_context(_made(change, self._folder))
            yield

    def run(self, tests: Iterable[str], *options: str, seconds_max: float) -> tuple[int, str]:
        """Run tests; return the exit code of pytest, or TIMED_OUT, and its output."""
        command = (sys.executable, "-m", "pytest", "-q", *PLUGINS_OFF, *options, *tests)
        with subprocess.Popen(
            command,
            cwd=self._folder,
            env=self._environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        ) as running:
            try:
                printed, _ = running.communicate(timeout=seconds_max)
            except subprocess.TimeoutExpired:
                os.killpg(running.pid, signal.SIGKILL)  # with the processes that the tests started
                return TIMED_OUT, f"timed out after {seconds_max:g} s"
        return running.returncode, printed.strip()

    def _environment(self) -> dict[str, str]:
        return {
            "BATCHPROGRESS_TEST_CACHE": str(CHECKOUT / ".cache" / "databases"),
            **os.environ,
            "PYTHONPATH": f"{self._folder}:{self._folder / 'clients/python/src'}",
            # Bytecode is matched to its source by size and second, so a changed file must leave none.
            "PYTHONDONTWRITEBYTECODE": "1",
        }


@contextmanager
def _made(change: Change, folder: Path) -> Iterator[None]:
    path = folder / change.file
    if not path.is_file():
        raise StaleMutant(f"there is no {change.file}")
    source, before = path.read_text(encoding="utf-8"), path.stat()
    path.write_text(change.applied_to(source), encoding="utf-8")
    try:
        yield
    finally:
        path.write_text(source, encoding="utf-8")
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))  # its bytecode is valid again


def _names_in_git() -> list[str]:
    command = ("git", "ls-files", "--cached", "--others", "--exclude-standard", "-z")
    listed = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=True).stdout
    return [name for name in listed.split("\0") if name and (CHECKOUT / name).is_file()]


def _bytecode_folders(folder: Path) -> list[Path]:
    """Return the paths of `__pycache__` folders in the checkout next to copied files, relative to it."""
    folders = (path.relative_to(folder) for path in folder.rglob("*") if path.is_dir())
    return [one / "__pycache__" for one in folders if (CHECKOUT / one / "__pycache__").is_dir()]
