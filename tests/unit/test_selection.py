"""`make test` runs every rule once, and what it leaves to `make test-more` it leaves for a reason."""

from collections import defaultdict

import pytest

from tests.support.selection import CHECKOUT, COLLECTED, LEFT_TO_MORE, is_of_the_store, rule_of


@pytest.fixture
def collected(pytestconfig: pytest.Config) -> list[pytest.Item]:
    """Return all tests below the paths that this run was given, whether or not it runs them."""
    return pytestconfig.stash[COLLECTED]


def test_a_rule_is_in_make_test_or_is_left_out_for_a_reason(collected: list[pytest.Item]) -> None:
    """Of a test's variants, one at least is not marked, unless the table or the test itself says why."""
    variants: dict[str, list[pytest.Item]] = defaultdict(list)
    for item in collected:
        if not has_reason(item):
            variants[rule_of(item)].append(item)
    assert [rule for rule, items in variants.items() if all(is_marked(item) for item in items)] == []


def test_the_contract_of_the_store_is_in_make_test_on_two_engines(collected: list[pytest.Item]) -> None:
    """All its tests are included, unless a test itself says why not."""
    of_the_store = (item for item in collected if is_of_the_store(item))
    assert [item.nodeid for item in of_the_store if is_marked(item) and not has_reason(item)] == []


def test_every_path_of_the_table_exists() -> None:
    """If a path was renamed, its tests would come back into `make test` unnoticed."""
    assert [path for path in LEFT_TO_MORE if not (CHECKOUT / path).exists()] == []


@pytest.mark.xdist_group("example")
def test_groups_stay_in_one_process(request: pytest.FixtureRequest) -> None:
    """pytest-xdist appends the group to the id of a test, which has failed silently with some versions."""
    if not request.config.getoption("loadgroup", default=False):
        pytest.skip("the tests run in one process, or without --dist loadgroup")
    assert request.node.nodeid.endswith("@example")


def is_marked(item: pytest.Item) -> bool:
    """Tell whether `make test` leaves a test out."""
    return item.get_closest_marker("more") is not None


def has_reason(item: pytest.Item) -> bool:
    """Tell whether the table or the test's own marker says why it is left out."""
    return item.nodeid.startswith(tuple(LEFT_TO_MORE)) or any(mark.args for mark in item.iter_markers("more"))
