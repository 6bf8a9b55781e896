"""Messages that are announced and never end."""

import pytest

from rpc.answers.request_checks import MESSAGE_BYTES_MAX
from tests.support.hostile_http2 import HALF_MESSAGES, attacking
from tests.support.memory import resident_kib
from tests.support.progress import progress_process

MESSAGES = 100
KIB_MAX = 600 * 1024


@pytest.mark.more("lasts as long as a connection may")
async def test_unfinished_messages_are_bounded_and_end(sqlite_url: str) -> None:
    """100 messages, each without its last byte, on one connection."""
    async with progress_process(sqlite_url, PROGRESS_CONNECTION_AGE_SECONDS_MAX="10") as server:
        async with attacking(server.port, HALF_MESSAGES, connections=MESSAGES, seconds=60.0) as attack:
            sent = await attack.ended()
        assert sent.bytes > MESSAGES * MESSAGE_BYTES_MAX
        assert sent.is_cut_off
        assert resident_kib(server.pid, "VmHWM") < KIB_MAX
