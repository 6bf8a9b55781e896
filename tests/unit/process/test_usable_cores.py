"""How many cores a process may use."""

import pytest

from process.usable_cores import usable_cores, whole_cores
from services.progress.settings import ProgressSettings


@pytest.mark.parametrize(
    ("affinity", "cpu_limits", "expected"),
    [
        (8, [], 8),
        (8, ["max 100000\n"], 8),
        (8, ["200000 100000\n"], 2),
        (8, ["max 100000\n", "300000 100000\n", "500000 100000\n"], 3),
        (2, ["400000 100000\n"], 2),
        (8, ["190000 100000\n"], 1),
        (8, ["50000 100000\n"], 1),
        (8, ["100000 50000\n"], 2),
        (8, ["\n"], 8),
    ],
)
def test_cores_are_the_least_of_affinity_and_limits(
    affinity: int, cpu_limits: list[str], expected: int
) -> None:
    """A part of a core does not count, but there is always one."""
    assert whole_cores(affinity, cpu_limits) == expected


def test_auto_is_the_number_of_usable_cores() -> None:
    assert ProgressSettings.model_validate({"processes": "auto"}).processes == usable_cores() >= 1
