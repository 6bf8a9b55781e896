"""What a badge says, and how it is drawn."""

from xml.etree import ElementTree as ET

import grpc
import pytest

from batchprogress.v1 import progress_pb2 as pb
from rpc.answers.refusal import Refusal
from services.gateway.badge.picture import draw
from services.gateway.badge.words import BLUE, BROWN, GREEN, GREY, RED, Words, of_batch, of_error
from services.gateway.contract.answers import to_answer

SVG = "{http://www.w3.org/2000/svg}"
WHITE = 1.0
CONTRAST_MIN = 4.5


@pytest.mark.parametrize(
    ("fields", "value"),
    [
        ({"percent_complete": 50}, "50 %"),
        ({"percent_complete": 99, "failed_jobs": 1_234}, "99 %, 1,234 failed"),
        ({"percent_complete": 99, "stall_reason": "no result for 2 h"}, "99 %, stalled"),
        ({"state": pb.BATCH_STATE_COMPLETED, "percent_complete": 100}, "completed"),
        ({"state": pb.BATCH_STATE_COMPLETED, "failed_jobs": 3}, "completed, 3 failed"),
        ({"state": pb.BATCH_STATE_CANCELLED, "failed_jobs": 3}, "cancelled, 3 failed"),
    ],
)
def test_value_says_percent_or_state_and_failures(fields: dict[str, object], value: str) -> None:
    """It says everything, so that the badge can be read without colours."""
    batch = pb.Batch(**{"state": pb.BATCH_STATE_PROCESSING, "batch_id": "b", **fields})  # type: ignore[arg-type]
    assert of_batch(batch).value == value


def test_label_is_what_was_asked_for_or_the_name() -> None:
    batch = pb.Batch(batch_id="b", display_name="Monthly  mails\n")
    assert of_batch(batch, "nightly").label == "nightly"
    assert of_batch(batch).label == "Monthly mails"
    assert of_batch(pb.Batch(batch_id="b")).label == "b"
    assert len(of_batch(pb.Batch(batch_id="b" * 128)).label) == 60


def test_error_does_not_name_the_batch() -> None:
    expired = Refusal(grpc.StatusCode.UNAUTHENTICATED, "TOKEN_EXPIRED", "batch b")
    missing = Refusal(grpc.StatusCode.NOT_FOUND, "BATCH_NOT_FOUND", "batch b")
    assert of_error(to_answer(expired), 401) == Words("batch", "token expired", GREY)
    assert of_error(to_answer(missing), 404, "mine") == Words("mine", "not found", GREY)
    assert of_error(to_answer(missing), 500).value == "error"


def test_text_is_escaped() -> None:
    """A name is no markup, and control characters neither break the XML nor turn the text around."""
    label = "<script>\"'&amp;]]>\x00\x1b\u202e日本"
    picture = ET.fromstring(draw(Words(label, "50 %", BLUE)))  # noqa: S314  # our own
    shown = (
        "<script>\"'&amp;]]>\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}日本"
    )
    assert picture.get("aria-label") == f"{shown}: 50 %"
    assert picture.findtext(f"{SVG}title") == f"{shown}: 50 %"
    assert [one.text for one in picture.iter(f"{SVG}text")] == [shown, "50 %"]
    assert {one.tag.removeprefix(SVG) for one in picture.iter()} == {"svg", "title", "rect", "g", "text"}


def test_halves_stand_side_by_side_and_texts_fit_into_them() -> None:
    picture = ET.fromstring(draw(Words("import-1", "completed, 12 failed", RED)))  # noqa: S314  # our own
    left, right = picture.iter(f"{SVG}rect")
    width = float(picture.get("width") or 0)
    assert float(left.get("width") or 0) == float(right.get("x") or 0)
    assert float(left.get("width") or 0) + float(right.get("width") or 0) == width
    for text, end in zip(picture.iter(f"{SVG}text"), (float(right.get("x") or 0), width), strict=True):
        assert float(text.get("x") or 0) + float(text.get("textLength") or 0) < end


@pytest.mark.parametrize("colour", [BLUE, BROWN, GREEN, GREY, RED])
def test_letters_can_be_read_on_every_colour(colour: str) -> None:
    channels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in channels]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    assert (WHITE + 0.05) / (luminance + 0.05) >= CONTRAST_MIN
