"""A kind that is kept in a database is computed alike by every later version."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from batches.fingerprint import PLACEHOLDER, kind_of, template_of
from batches.result import JobOutcome, JobResult
from batches.store.recording import THREAD_TEXTS_MIN, kinds_of

FIRST_VARYING = re.compile(
    r"""
    (?<!\w)'[^']*'(?!\w) | "[^"]*" | `[^`]*`
    | (?<![\w.+%-]) [\w.+%-]+@[\w.-]+
    | (?<![\w-]) [0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}
    | (?<![\w:]) (?:[0-9a-fA-F]{0,4}:){2,7}[0-9a-fA-F]{0,4}
    | (?<![^\W_]) [0-9a-fA-F]{8,}(?![^\W_])
    | (?:(?<!\w)[-+])? (?<![^\W_]) [^\W\d_]*\d[^\W_]*
    """,
    re.VERBOSE,
)
"""What varies, as the first version with kinds said it: plainer than what looks for it now, and slower."""
FIRST_SEVERAL = re.compile(rf"{re.escape(PLACEHOLDER)}(?:[-.:/_+,;]?\s?{re.escape(PLACEHOLDER)})+")

MESSAGES = (
    st.text(max_size=60)
    | st.text("'\"`-+.:@a1f/ <*>_gZ%é٣", max_size=600)
    | st.text("abcdef0g-:@._ '", max_size=60)
)


def first_template_of(message: str) -> str:
    """Return a message's template as the first version made it."""
    text = " ".join(message[:500].split())
    return FIRST_SEVERAL.sub(PLACEHOLDER, FIRST_VARYING.sub(PLACEHOLDER, text))


@given(MESSAGES)
@example("a-5 a--5 a_deadbeef deadbeef@x.org-1 'a'b' 'c' 0b0c3f6e-6d0e-4b1c-9d5a-1f1a5a7f3c11x ::1 a:b:c:")
def test_templates_are_those_of_the_first_version(message: str) -> None:
    """Whatever the message: its failures of before and of now are in one group."""
    assert template_of(message) == first_template_of(message)


def test_numbers_are_those_of_the_first_version() -> None:
    """Kinds as they stand in databases."""
    assert kind_of("Timeout", "no answer from 10.0.0.7:5432 after 30 s") == -8474855920917618622
    assert kind_of("", "") == -7712737833812065720


@given(st.lists(st.sampled_from(["job ", "lost, ", "at /in/", " of ", "("])), st.data())
def test_other_numbers_make_no_difference(words: list[str], data: st.DataObject) -> None:
    """A kind stays the same when each number and id of its message becomes another one."""
    ids = st.integers(0).map(str) | st.uuids().map(str) | st.integers(0, 2**64).map(hex)
    first, second = (" ".join(f"{word}{data.draw(ids)}" for word in words) for _ in range(2))
    if max(len(first), len(second)) <= 500:
        assert kind_of("E", first) == kind_of("E", second)


@pytest.mark.parametrize("texts", [2, THREAD_TEXTS_MIN])
async def test_each_text_of_a_call_is_looked_at_once(texts: int) -> None:
    """The kinds of a call's failures are made together, few or many; what did not fail has none."""
    failed = [JobResult("b", f"j{one}", JobOutcome.FAILED, 1, "E", f"x {one % texts}") for one in range(300)]
    well = JobResult("b", "well", JobOutcome.SKIPPED, 1, "E", "not needed")
    kinds = await kinds_of([*failed, well])
    assert kinds == {("E", f"x {one}"): kind_of("E", f"x {one}") for one in range(texts)}
