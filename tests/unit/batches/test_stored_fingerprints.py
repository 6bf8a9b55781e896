"""A stored fingerprint equals the one that any later version computes."""

import asyncio
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from batches.fingerprint import PLACEHOLDER, fingerprint_of, template_of
from batches.result import JobOutcome, JobResult
from batches.store.recording import THREAD_ERRORS_MIN, fingerprints_of

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
"""The pattern of the first version with fingerprints: simpler than the present one, but slower."""
FIRST_SEVERAL = re.compile(rf"{re.escape(PLACEHOLDER)}(?:[-.:/_+,;]?\s?{re.escape(PLACEHOLDER)})+")

MESSAGES = (
    st.text(max_size=60)
    | st.text("'\"`-+.:@a1f/ <*>_gZ%é٣", max_size=600)
    | st.text("abcdef0g-:@._ '", max_size=60)
)


def first_template_of(message: str) -> str:
    """Return the template as the first version computed it."""
    text = " ".join(message[:500].split())
    return FIRST_SEVERAL.sub(PLACEHOLDER, FIRST_VARYING.sub(PLACEHOLDER, text))


@given(MESSAGES)
@example("a-5 a--5 a_deadbeef deadbeef@x.org-1 'a'b' 'c' 0b0c3f6e-6d0e-4b1c-9d5a-1f1a5a7f3c11x ::1 a:b:c:")
def test_templates_equal_those_of_the_first_version(message: str) -> None:
    """Failures recorded by any version fall into the same groups."""
    assert template_of(message) == first_template_of(message)


def test_fingerprints_equal_those_of_the_first_version() -> None:
    """These numbers are stored in databases."""
    assert fingerprint_of("Timeout", "no answer from 10.0.0.7:5432 after 30 s") == -8474855920917618622
    assert fingerprint_of("", "") == -7712737833812065720


@given(st.lists(st.sampled_from(["job ", "lost, ", "at /in/", " of ", "("])), st.data())
def test_other_numbers_and_ids_do_not_change_the_fingerprint(words: list[str], data: st.DataObject) -> None:
    """Each number and id of a message may be replaced by another one."""
    ids = st.integers(0).map(str) | st.uuids().map(str) | st.integers(0, 2**64).map(hex)
    first, second = (" ".join(f"{word}{data.draw(ids)}" for word in words) for _ in range(2))
    if max(len(first), len(second)) <= 500:
        assert fingerprint_of("E", first) == fingerprint_of("E", second)


@pytest.mark.parametrize(("errors", "is_free"), [(THREAD_ERRORS_MIN - 1, False), (THREAD_ERRORS_MIN, True)])
async def test_the_event_loop_stays_free_if_there_are_many_errors(errors: int, *, is_free: bool) -> None:
    """A thread computes their fingerprints; for a few errors it is not worth the detour."""
    ran = asyncio.Event()
    asyncio.get_running_loop().call_soon(ran.set)
    await fingerprints_of(
        JobResult("b", "j", JobOutcome.FAILED, error_message="x" * number) for number in range(errors)
    )
    assert ran.is_set() is is_free


@pytest.mark.parametrize("texts", [2, THREAD_ERRORS_MIN])
async def test_each_error_of_a_call_is_computed_once(texts: int) -> None:
    """Only failures have a fingerprint."""
    failed = [JobResult("b", f"j{one}", JobOutcome.FAILED, 1, "E", f"x {one % texts}") for one in range(300)]
    well = JobResult("b", "well", JobOutcome.SKIPPED, 1, "E", "not needed")
    fingerprints = await fingerprints_of([*failed, well])
    assert fingerprints == {("E", f"x {one}"): fingerprint_of("E", f"x {one}") for one in range(texts)}
