"""The table of docs/laravel.md is what tests see on real applications."""

from tests.docs.markdown import ROOT
from tests.laravel.documented import documented


def test_each_case_of_the_table_is_seen_by_a_test() -> None:
    """The tests on real applications compare what they see with the line of the case."""
    code = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests/laravel").glob("test_*.py"))
    cases = [case for case in documented() if case not in {"case", "---"}]
    assert cases
    assert [case for case in cases if f'"{case}"' not in code] == []
