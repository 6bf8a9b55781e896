"""The sentences about an unusable database in docs/operations.md are those that the programs print."""

from batches.store import causes
from tests.docs.markdown import ROOT

PAGE = ROOT / "docs" / "operations.md"
HEADING = "## Database errors at start\n"


def test_every_cause_of_an_unusable_database_is_documented_with_its_numbers() -> None:
    """A row for each, word by word."""
    section = PAGE.read_text(encoding="utf-8").partition(HEADING)[2].partition("\n## ")[0]
    every = [one for one in vars(causes).values() if isinstance(one, causes.Cause)]
    assert every
    for cause in every:
        numbers = [str(number) for number, one in causes.CAUSES.items() if one is cause]
        row = f"| {cause.happened} | {cause.remedy} | {', '.join(numbers) or '-'} |"
        assert section.count(row) == 1, row
    assert section.count("\n| ") == len(every) + len(["head", "line", "foreign", "schema"])
