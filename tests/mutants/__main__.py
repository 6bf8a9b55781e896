"""python -m tests.mutants [--sample N] [LIST…]: make listed changes in a copy of the checkout, and test each.

A test must fail for each change. The tests run once on an unchanged copy first, since a test that fails there
proves nothing. All changes take half an hour, so `make test-more` tries a sample, another one in each run.
"""

import argparse
import os
import random
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from queue import SimpleQueue

from tests.mutants.mutant import Mutant, StaleMutant, listed
from tests.mutants.tree import TEST_SECONDS_MAX, TIMED_OUT, Tree

PASSED, TEST_FAILED = 0, 1
"""pytest's exit codes; any other means that tests could not be collected or run."""


SEED_MAX = 2**32


def main(lists: list[str], sample: int | None = None, seed: int | None = None) -> int:
    """Run the mutants; return 1 if a test did not notice its change."""
    mutants = list(listed(lists))
    if sample is not None and sample < len(mutants):
        seed = random.randrange(SEED_MAX) if seed is None else seed
        print(f"{sample} of {len(mutants)} changes, --seed {seed}", flush=True)
        mutants = random.Random(seed).sample(mutants, sample)
    if not mutants:
        print(f"there are no mutants in {', '.join(lists) or 'any list'}")
        return 1
    with ExitStack() as stack:
        trees = [Tree(Path(stack.enter_context(tempfile.TemporaryDirectory()))) for _ in range(_cores())]
        code, printed = trees[0].run(_tests(mutants), "-n", str(len(trees)), seconds_max=TEST_SECONDS_MAX * 5)
        print(f"without a change: {_last_line(printed)}", flush=True)
        if code != PASSED:
            print(printed)
            return 1
        problems = _tried(mutants, trees)
    for problem in problems:
        print(f"NOT NOTICED {problem}")
    print(f"{len(mutants) - len(problems)} changes noticed, {len(problems)} not noticed")
    return int(bool(problems))


def _last_line(printed: str) -> str:
    return printed.rpartition("\n")[-1]


def _cores() -> int:
    return os.cpu_count() or 1


def _tests(mutants: Sequence[Mutant]) -> list[str]:
    return list(dict.fromkeys(test for mutant in mutants for test in mutant.tests))


def _tried(mutants: Sequence[Mutant], trees: Sequence[Tree]) -> list[str]:
    """Try each mutant in the next free tree; return a line for each that went unnoticed."""
    free: SimpleQueue[Tree] = SimpleQueue()
    for tree in trees:
        free.put(tree)
    numbers = count(1)

    def attempt(mutant: Mutant) -> str:
        tree = free.get()
        try:
            verdict, is_noticed = _verdict(mutant, tree)
        finally:
            free.put(tree)
        print(f"{next(numbers)}/{len(mutants)} {mutant}: {verdict}", flush=True)
        return "" if is_noticed else f"{mutant}: {verdict}"

    with ThreadPoolExecutor(len(trees)) as pool:
        return [problem for problem in pool.map(attempt, mutants) if problem]


def _verdict(mutant: Mutant, tree: Tree) -> tuple[str, bool]:
    """Return what came of the change, and whether its test noticed it: it failed, or waits for ever."""
    try:
        with tree.changed(mutant):
            code, printed = tree.run(mutant.tests, "-x", seconds_max=TEST_SECONDS_MAX)
    except StaleMutant as error:
        return str(error), False
    return f"{' '.join(mutant.tests)} {_last_line(printed)}", code in {TEST_FAILED, TIMED_OUT}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants")
    parser.add_argument("lists", nargs="*", metavar="LIST", help="a list of tests/mutants (default: all)")
    parser.add_argument("--sample", type=int, metavar="N", help="try N changes, chosen at random")
    parser.add_argument("--seed", type=int, help="repeat the sample of a run that printed this seed")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main(**vars(_arguments())))
