"""The collations that compare bytes."""

import pytest

from services.job_status.sources.byte_order import is_binary


@pytest.mark.parametrize(
    ("collation", "expected"),
    [
        ("binary", True),
        ("ascii_bin", True),
        ("utf8mb4_bin", True),
        ("utf8mb4_0900_ai_ci", False),
        ("utf8mb4_general_ci", False),
        ("latin1_swedish_ci", False),
    ],
)
def test_only_binary_collations_compare_bytes(collation: str, expected: bool) -> None:  # noqa: FBT001  # a column of the table
    assert is_binary(collation) is expected
