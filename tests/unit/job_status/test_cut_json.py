"""The beginning of a JSON text."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.job_status.sources.cut_json import parse_cut_json


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("tr", None),
        ("12", None),
        ('"ab', "ab"),
        ('"a\\', "a"),
        ('"a\\ud83d\\ude0', "a"),
        ('[1, "a", "b', [1, "a", "b"]),
        ("[1, 23", [1]),
        ('{"a": 1, "b": "c', {"a": 1, "b": "c"}),
        ('{"a": 1, "b', {"a": 1}),
        ('{"a": 1, "b": ', {"a": 1, "b": None}),
        ('{"a": 1, "b": 2', {"a": 1, "b": None}),
        ('{"a": {"b": ["c', {"a": {"b": ["c"]}}),
        ('{"a": [[["b', {"a": [[]]}),
        ('{"a" 1', {}),
        ("[" * 100_000, [[[]]]),
    ],
)
def test_members_that_are_complete_and_the_part_of_the_next_are_read(text: str, value: object) -> None:
    assert parse_cut_json(text) == value


TEXTS = st.text(max_size=5)
MEMBERS = st.dictionaries(TEXTS, st.integers() | TEXTS | st.none() | st.lists(TEXTS, max_size=2), max_size=3)


@settings(max_examples=50, deadline=None)
@given(members=MEMBERS, length=st.integers(1, 60))
def test_no_member_has_a_value_that_the_whole_text_does_not_give_it(
    members: dict[str, object], length: int
) -> None:
    """A string may be a part of it, and a list may lack its end."""
    read = parse_cut_json(json.dumps(members)[:length])
    assert isinstance(read, dict)
    assert all(_is_part(value, members[name]) for name, value in read.items())


def _is_part(read: object, whole: object) -> bool:
    match read, whole:
        case str(), str():
            return whole.startswith(read)
        case [*values], [*all_values]:
            return all(map(_is_part, values, all_values))
    return read is None or read == whole
