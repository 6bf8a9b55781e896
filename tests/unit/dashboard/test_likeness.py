"""Which messages belong to a failure group."""

import pytest

from services.dashboard.likeness import COMPARED_CHARACTERS, fits

LONG = "x" * COMPARED_CHARACTERS


@pytest.mark.parametrize(
    ("message", "template", "is_alike"),
    [
        ("anything", "", True),
        ("same", "same", True),
        ("lost\n  at line 7\n", "lost at line <*>", True),
        ("same and more", "same", False),
        ("no answer after 30 s", "no answer after <*> s", True),
        ("no answer after 30 ms", "no answer after <*> s", False),
        ("no answer", "no answer after <*> s", False),
        ("user 7 has no mail", "<*> has no mail", True),
        ("row 7 of 9", "row <*> of <*>", True),
        ("aa", "a<*>aa", False),
        (LONG + "1", LONG, True),
        (LONG + "2", LONG, True),
    ],
)
def test_a_message_fits_a_template_with_its_fixed_parts(
    message: str, template: str, *, is_alike: bool
) -> None:
    """A message fits if it contains the fixed parts in order, from its first character to its last."""
    assert fits(message, template) is is_alike
