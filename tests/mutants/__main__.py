"""python -m tests.mutants [LIST…]: make each listed change in a copy of the tree; its test must fail."""

import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from queue import SimpleQueue

from tests.mutants.mutant import Mutant, StaleMutant, listed

CHECKOUT = Path(__file__).parents[2]
TREES = 2
"""As many as the cores that a development machine has at least."""
TEST_SECONDS_MAX = 120
"""A change may make its test wait for ever, which counts as noticed."""
TEST_FAILED = 1
"""pytest's exit code for a failed test; an error in the collection, or no test at all, has another."""


def main(lists: list[str]) -> int:
    """Run the mutants; return 1 if a test did not notice its change."""
    mutants = list(listed(lists))
    with ExitStack() as stack:
        trees: SimpleQueue[Path] = SimpleQueue()
        for _ in range(TREES):
            trees.put(_copied(Path(stack.enter_context(tempfile.TemporaryDirectory()))))
        with ThreadPoolExecutor(TREES) as pool:
            unnoticed = [problem for problem in pool.map(lambda one: _tried(one, trees), mutants) if problem]
    for problem in unnoticed:
        print(f"NOT NOTICED {problem}")
    print(f"{len(mutants) - len(unnoticed)} passed, {len(unnoticed)} failed")
    return int(bool(unnoticed) or not mutants)


def _copied(folder: Path) -> Path:
    """Return the folder with a copy of every file that git does not ignore."""
    command = ("git", "ls-files", "--cached", "--others", "--exclude-standard")
    names = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=True).stdout.split(
        "\n"
    )
    for name in filter(None, names):
        source, target = CHECKOUT / name, folder / name
        if source.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)
    return folder


def _tried(mutant: Mutant, trees: "SimpleQueue[Path]") -> str:
    """Return why the change went unnoticed; empty if its test failed."""
    tree = trees.get()
    path = tree / mutant.file
    whole = path.read_text(encoding="utf-8")
    try:
        path.write_text(mutant.applied_to(whole), encoding="utf-8")
        return _unnoticed(mutant, tree)
    except StaleMutant as error:
        return str(error)
    finally:
        path.write_text(whole, encoding="utf-8")
        trees.put(tree)


def _unnoticed(mutant: Mutant, tree: Path) -> str:
    command = (sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *mutant.test.split())
    environment = {"PYTHONPATH": f"{tree}:{tree / 'client/src'}", "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        ended = subprocess.run(
            command, cwd=tree, env=_inherited() | environment, capture_output=True, text=True,
            check=False, timeout=TEST_SECONDS_MAX,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return ""
    if ended.returncode == TEST_FAILED:
        return ""
    last = ended.stdout.strip().split("\n")[-1]
    return f"{mutant.title}: {mutant.test} ended with {ended.returncode} ({last})"


def _inherited() -> dict[str, str]:
    """Return this environment, with the unpacked database servers of this checkout for the copies."""
    return {"BATCHPROGRESS_TEST_CACHE": str(CHECKOUT / ".cache" / "databases"), **os.environ}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
