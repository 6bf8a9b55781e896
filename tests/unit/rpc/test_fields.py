"""The bounds of request fields."""

import pytest

from rpc.answers.fields import PAGE_SIZE_DEFAULT, FieldChecks


def fields_refused(checks: FieldChecks) -> list[str]:
    """Return the names of the fields with violations."""
    refusal = checks.refusal()
    return [] if refusal is None else [violation.field for violation in refusal.violations]


@pytest.mark.parametrize(
    ("value", "refused"), [("", True), ("x", False), ("~" * 128, False), ("x" * 129, True), ("a\n", True)]
)
def test_identifier_has_1_to_128_printable_characters(value: str, *, refused: bool) -> None:
    checks = FieldChecks()
    assert checks.identifier("id", value) == value
    assert bool(fields_refused(checks)) is refused


@pytest.mark.parametrize(("value", "refused"), [(-1, True), (0, False), (5, False), (6, True)])
def test_bounds_of_a_number_are_allowed(value: int, *, refused: bool) -> None:
    checks = FieldChecks()
    assert checks.between("number", value, 0, 5) == value
    assert bool(fields_refused(checks)) is refused


@pytest.mark.parametrize(("value", "refused"), [("", False), ("xyz", False), ("wxyz", True)])
def test_longest_text_is_allowed(value: str, *, refused: bool) -> None:
    checks = FieldChecks()
    assert checks.text("text", value, 3) == value
    assert bool(fields_refused(checks)) is refused


@pytest.mark.parametrize(
    ("value", "size"), [(0, PAGE_SIZE_DEFAULT), (1, 1), (100, 100), (101, 100), (10**9, 100)]
)
def test_page_size_is_lowered_to_the_largest(value: int, size: int) -> None:
    checks = FieldChecks()
    assert checks.page_size(value, 100) == size
    checks.done()


def test_all_violations_are_collected() -> None:
    checks = FieldChecks()
    checks.identifier("id", "")
    checks.page_size(-1, 100)
    checks.between("number", 7, 1, 6)
    assert fields_refused(checks) == ["id", "page_size", "number"]
