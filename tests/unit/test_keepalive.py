"""Pings have time to be answered: a proxy with 1,000 new connections answers them after more than 1 s."""

import re
from pathlib import Path

import pytest

from batchprogress._grpc.connection import CHANNEL_OPTIONS
from rpc.serving.server import KEEPALIVE_TIMEOUT_MS, PING_INTERVAL_MS_MIN
from tests.support.progress import ROOT

ANSWER_MS_MIN = 10_000
EXAMPLES = sorted(path for name in ("worker", "watch") for path in (ROOT / "examples").glob(f"*/{name}.*"))
MILLISECONDS = re.compile(r"keepalive_(time|timeout)_ms\W+([\d_]+)")
GO_SECONDS = re.compile(r"(Time|Timeout): (\d+) \* time\.Second[,}]")


def test_client_and_server_wait_for_the_answer_to_a_ping() -> None:
    options = dict(CHANNEL_OPTIONS)
    assert options["grpc.keepalive_timeout_ms"] == options["grpc.http2.ping_timeout_ms"] == ANSWER_MS_MIN
    assert KEEPALIVE_TIMEOUT_MS >= ANSWER_MS_MIN
    assert int(options["grpc.keepalive_time_ms"]) > PING_INTERVAL_MS_MIN, "the server would refuse it"


def test_channel_options_of_the_client_are_in_one_place() -> None:
    sources = (ROOT / "clients/python/src").rglob("*.py")
    named = [path.name for path in sources if "keepalive" in path.read_text(encoding="utf-8")]
    assert named == ["connection.py"]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_examples_in_other_languages_wait_for_the_answer_to_a_ping(example: Path) -> None:
    text = example.read_text(encoding="utf-8")
    settings = {name.lower(): int(value) for name, value in MILLISECONDS.findall(text)}
    settings |= {name.lower(): 1_000 * int(value) for name, value in GO_SECONDS.findall(text)}
    assert settings["time"] > PING_INTERVAL_MS_MIN
    assert settings["timeout"] >= ANSWER_MS_MIN
