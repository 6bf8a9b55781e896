"""Which errors are similar."""

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batches.fingerprint import CHARACTERS_READ_MAX, PLACEHOLDER, fingerprint_of, template_of

VARYING = (
    st.integers().map(str)
    | st.floats(allow_nan=False, allow_infinity=False).map(str)
    | st.integers(0).map("{:,}".format)
    | st.integers(0, 2**64).map(hex)
    | st.uuids().map(str)
    | st.binary(min_size=8, max_size=20).map(bytes.hex)
    | st.ip_addresses().map(str)
    | st.datetimes().map(lambda time: time.isoformat())
    | st.from_regex(r"[a-z]+([.+-][a-z]+)?@example\.org", fullmatch=True)
    | st.text("abc xyz.!?-/", max_size=20).map("'{}'".format)
    | st.text("abc xyz.!?-/", max_size=20).map('"{}"'.format)
)
"""Parts that vary between similar errors."""

WORDS = st.lists(st.text("bcdghklmnprstvwzBCDG", min_size=1, max_size=9), min_size=1, max_size=6)

ALIKE = {
    "numbers": ("after 30 s", "after 1,037.5 s", "after -2 s"),
    "ids": (
        "job 17 lost",
        "job a1b2c3d4 lost",
        "job 0b0c3f6e-6d0e-4b1c-beef-1f1a5a7f3c11 lost",
        "job deadbeef lost",
    ),
    "addresses": ("no route to 10.0.0.7:5432", "no route to fe80::1", "no route to 2001:db8:cafe::17"),
    "objects": ("<Row object at 0x7f12>", "<Row object at 0x7FFFA0>"),
    "quoted values": ("no column 'id'", 'no column "the name"', "no column `x`", "no column ''"),
    "mail addresses": ("mail to a@example.org bounced", "mail to b.c+d@mail.example.com bounced"),
    "paths": ("/in/2026-11/part-3.csv is empty", "/in/2025-02/part-17.csv is empty"),
    "temporary paths": ("cannot read /tmp/tmp8f3k/x", "cannot read /tmp/tmp0q9z/x"),
    "moments": ("since 2026-11-24T15:33:43.123Z", "since 2026-11-24 15:33"),
    "lists": ("ids [1, 2, 3] unknown", "ids [4] unknown", "ids ['a', 'b'] unknown"),
    "blanks": ("a  b\n c", "a b c"),
    "urls": ("GET https://host/api/17?page=2 failed", "GET https://host/api/9?page=31 failed"),
}
APART = {
    "words": ("no such row", "no such table"),
    "what was not done": ("cannot read 17", "cannot write 17"),
    "apostrophes": ("can't open it, doesn't exist", "can't read it, doesn't exist"),
    "case": ("Failed", "failed"),
    "paths": ("/in/orders is empty", "/in/users is empty"),
    "nothing": ("", "something"),
}


@pytest.mark.parametrize("messages", [pytest.param(one, id=name) for name, one in ALIKE.items()])
def test_similar_messages_have_one_fingerprint(messages: tuple[str, ...]) -> None:
    """Messages that differ only in their varying parts are similar."""
    assert len({fingerprint_of("E", message) for message in messages}) == 1, [*map(template_of, messages)]


@pytest.mark.parametrize("messages", [pytest.param(one, id=name) for name, one in APART.items()])
def test_different_messages_have_different_fingerprints(messages: tuple[str, ...]) -> None:
    """Messages with different words are not similar."""
    assert len({fingerprint_of("E", message) for message in messages}) == len(messages)


def test_the_error_type_is_part_of_the_fingerprint() -> None:
    """The same message of two types has two fingerprints."""
    assert fingerprint_of("A", "x") != fingerprint_of("B", "x")


@given(WORDS, st.lists(VARYING, min_size=6, max_size=6), st.lists(VARYING, min_size=6, max_size=6))
def test_varying_parts_do_not_change_the_template(
    words: list[str], some: list[str], others: list[str]
) -> None:
    """Errors are similar if the words around their varying parts are the same."""
    first, second = (
        " ".join(f"{word} {value}" for word, value in zip(words, values, strict=False))
        for values in (some, others)
    )
    assert template_of(first) == template_of(second) or max(map(len, (first, second))) > CHARACTERS_READ_MAX
    assert template_of(first).count(PLACEHOLDER) == len(words) or len(first) > CHARACTERS_READ_MAX


@given(WORDS)
def test_a_message_without_varying_parts_is_its_own_template(words: list[str]) -> None:
    """Words are never replaced."""
    assert template_of(" ".join(words)) == " ".join(words)


@given(st.text() | st.text("'\"`-+.:@a1f/ <*>", max_size=600))
def test_any_message_has_a_fingerprint(message: str) -> None:
    """It fits into the column and is the same each time."""
    assert -(2**63) <= fingerprint_of("E", message) == fingerprint_of("E", message) < 2**63


def test_the_end_of_a_long_message_is_ignored() -> None:
    """Data at the end of a message does not change its fingerprint."""
    message = "bad request " * 50
    assert fingerprint_of("E", message + "x") == fingerprint_of("E", f"{message}{uuid.UUID(int=7)}")
