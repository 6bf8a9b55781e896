"""A copy of the checkout, in which a file can be changed and tests can be run."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.mutants.mutant import Mutant

CHECKOUT = Path(__file__).parents[2]
TEST_SECONDS_MAX = 120.0
"""A listed test takes seconds; with its change made it may wait for ever."""
TIMED_OUT = -1


class Tree:
    """A copy of every file that git does not ignore, with the compiled bytecode beside it."""

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
        """Keep the change made while the context is open.

        Raises:
            StaleMutant: the text to replace is not exactly once in the file.

        """
        path = self._folder / mutant.file
        source = path.read_text(encoding="utf-8")
        written = path.stat()
        path.write_text(mutant.applied_to(source), encoding="utf-8")
        try:
            yield
        finally:
            path.write_text(source, encoding="utf-8")
            os.utime(path, ns=(written.st_atime_ns, written.st_mtime_ns))  # its bytecode is valid again

    def run(self, tests: Iterable[str], *options: str, seconds_max: float) -> tuple[int, str]:
        """Run tests; return pytest's exit code, or TIMED_OUT, and the last line it printed."""
        command = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options, *tests)
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
        return running.returncode, printed.strip().rpartition("\n")[-1]

    def _environment(self) -> dict[str, str]:
        return {
            "BATCHPROGRESS_TEST_CACHE": str(CHECKOUT / ".cache" / "databases"),
            **os.environ,
            "PYTHONPATH": f"{self._folder}:{self._folder / 'client/src'}",
            # Bytecode is matched to its source by size and second, so a changed file must leave none.
            "PYTHONDONTWRITEBYTECODE": "1",
        }


def _names_in_git() -> list[str]:
    command = ("git", "ls-files", "--cached", "--others", "--exclude-standard", "-z")
    listed = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=True).stdout
    return [name for name in listed.split("\0") if name and (CHECKOUT / name).is_file()]


def _bytecode_folders(folder: Path) -> list[Path]:
    """Return the paths of `__pycache__` folders in the checkout beside copied files, relative to it."""
    folders = (path.relative_to(folder) for path in folder.rglob("*") if path.is_dir())
    return [one / "__pycache__" for one in folders if (CHECKOUT / one / "__pycache__").is_dir()]
