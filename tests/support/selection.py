"""Which tests `make test` runs: every rule once. `make test-more` runs all other tests.

A test that runs on several engines is in `make test` on the one that starts fastest; only the store's
contract is there on SQLite and MariaDB. A test that is slow for what it adds is left to `make test-more`, by
the table below or by `@pytest.mark.more(reason)`.
"""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.support.not_run import engine_of
from tests.support.storage import EngineName

CHECKOUT = Path(__file__).parents[2]
START_ORDER: tuple[EngineName, ...] = ("sqlite", "mariadb", "mysql")
"""Fastest first: SQLite needs no server, and MariaDB restarts in 0.4 s, MySQL in 3 s."""
ON_TWO_ENGINES = "tests/integration/store/"
"""The store's contract: SQL, locks and transactions are where the engines differ."""
ENGINES_OF_THE_STORE: tuple[EngineName, ...] = ("sqlite", "mariadb")
"""MySQL takes twice as long as MariaDB to create and empty tables: more than `make test` has time for."""
LEFT_TO_MORE = {
    "tests/cluster/": "runs three database servers as a cluster",
    "tests/e2e/page/": "drives a browser",
    "tests/e2e/test_demo.py": "tells the whole story of `make run`",
    "tests/e2e/test_real_queues.py": "runs 1,037 jobs in each of four real queues",
    "tests/e2e/web/": "drives a browser",
    "tests/faults/": "kills, freezes and cuts off real servers",
    "tests/integration/cli/test_errors.py": "waits for servers that do not answer",
    "tests/integration/cli/test_job_lines.py": "starts the program once for each case",
    "tests/integration/client/test_client_restarts.py": "restarts servers",
    "tests/integration/client/test_examples.py": "runs each example as its own program",
    "tests/integration/client/test_forks.py": "starts processes that fork",
    "tests/integration/client/test_forks_after_calls.py": "starts processes that fork",
    "tests/integration/client/test_green_threads.py": "starts the program once for each library",
    "tests/integration/client/test_pools.py": "starts pools of processes",
    "tests/integration/client/test_process_ends.py": "starts and kills a process for each case",
    "tests/integration/client/test_relay.py": "starts processes that fork",
    "tests/integration/dashboard/test_process.py": "starts the program once for each case",
    "tests/integration/integrations/": "runs real workers of each queue",
    "tests/integration/job_status/test_celery_cells.py": "repeats rules of the source for each claim",
    "tests/integration/job_status/test_conformance.py": "checks every source once more, as its own program",
    "tests/integration/job_status/test_kubernetes_cells.py": "repeats rules of the source for each claim",
    "tests/integration/job_status/test_process.py": "starts the program once for each case",
    "tests/integration/job_status/test_redis_cost.py": "measures on batches of many thousand jobs",
    "tests/integration/job_status/test_rq_cells.py": "repeats rules of the source for each claim",
    "tests/integration/progress/test_process.py": "starts the program once for each case",
    "tests/integration/progress/test_process_killed.py": "kills processes of a server",
    "tests/integration/progress/test_processes.py": "starts the program once for each case",
    "tests/integration/reconciler/test_process.py": "starts the program once for each case",
    "tests/integration/reconciler/test_retention.py": "runs passes that use up their time",
    "tests/integration/reconciler/test_unanswered.py": "waits for answers that do not come",
    "tests/integration/security/test_rollout.py": "repeats fault 8 with TLS and tokens",
    "tests/integration/store/test_commands.py": "starts the program once for each case",
    "tests/k8s/": "needs a Kubernetes API server",
    "tests/laravel/": "runs real workers of two versions of Laravel",
    "tests/packages/": "installs our packages into empty environments",
    "tests/proxies/": "runs four proxies",
}
"""Why the tests below a path are left out."""
MAKE_TEST = "not more"
"""The expression with which `make test` selects its tests."""
COLLECTED = pytest.StashKey[list[pytest.Item]]()
"""All tests, before a run deselects some."""


def is_left_to_more(path: Path) -> bool:
    """Return whether the table leaves a file or folder to `make test-more`."""
    return any(path == CHECKOUT / left for left in LEFT_TO_MORE)


def mark_more(items: Sequence[pytest.Item]) -> None:
    """Mark the tests that `make test` leaves out."""
    by_rule: dict[str, list[pytest.Item]] = defaultdict(list)
    for item in items:
        by_rule[rule_of(item)].append(item)
    for variants in by_rule.values():
        first = min(variants, key=_start_order)
        for item in variants:
            on_another_engine = item is not first and not is_of_the_store(item)
            if on_another_engine or item.nodeid.startswith(tuple(LEFT_TO_MORE)):
                item.add_marker(pytest.mark.more)


def is_of_the_store(item: pytest.Item) -> bool:
    """Return whether a test is of the store's contract, on an engine of `make test`."""
    return item.nodeid.startswith(ON_TWO_ENGINES) and engine_of(item) in (None, *ENGINES_OF_THE_STORE)


def rule_of(item: pytest.Item) -> str:
    """Return the test's id without its engine."""
    name, bracket, parameters = item.nodeid.partition("[")
    parameters = parameters.rpartition("]")[0]  # without the group that pytest-xdist appends
    return name + bracket + parameters.replace(engine_of(item) or "", "")


def _start_order(item: pytest.Item) -> int:
    engine = engine_of(item)
    return START_ORDER.index(engine) if engine else 0
