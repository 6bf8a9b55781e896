"""Who is let in, and asked again."""

import asyncio

import grpc
import pytest

from batchprogress.v1 import progress_pb2 as pb
from rpc.answers.refusal import Refusal
from services.gateway.contract.answers import Answer, to_answer
from services.gateway.contract.caller import Metadata
from services.gateway.live import admission
from services.gateway.live.admission import Admissions
from tests.unit.gateway.live_source import SECONDS_MAX, until

ANN: Metadata = (("authorization", "Bearer ann"),)
BOB: Metadata = (("authorization", "Bearer bob"),)


class Server:
    """Answers reads by their token."""

    def __init__(self) -> None:
        self.asked: list[Metadata] = []
        self.codes: dict[Metadata, grpc.StatusCode] = {}
        self.defects: list[Exception] = []
        """Raised by the next reads, each once."""
        self.answers = asyncio.Event()
        self.answers.set()
        self.waiting = 0

    async def get_batch(self, _batch_id: str, metadata: Metadata) -> pb.Batch:
        """Return a batch, or what this token is answered."""
        self.asked.append(metadata)
        self.waiting += 1
        try:
            await asyncio.sleep(0)
            await self.answers.wait()
        finally:
            self.waiting -= 1
        if self.defects:
            raise self.defects.pop()
        if metadata in self.codes:
            raise to_answer(Refusal(self.codes[metadata], "REASON", "a sentence"))
        return pb.Batch(batch_id="b")


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    """Return a server that is asked again at once."""
    monkeypatch.setattr(admission, "ASKED_AGAIN_SECONDS", 0.002)
    monkeypatch.setattr(admission, "FRESH_SECONDS", 0.0)
    return Server()


async def test_viewers_with_the_same_token_share_the_question(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Envoy gives each request an id of its own."""
    monkeypatch.setattr(admission, "FRESH_SECONDS", SECONDS_MAX)
    admissions = Admissions(server.get_batch)
    all_in = asyncio.Barrier(101)

    async def view(metadata: Metadata) -> None:
        async with admissions.admitted("b", metadata, asyncio.Event()):
            await all_in.wait()

    viewing = [
        asyncio.create_task(view((*(BOB if number % 2 else ANN), ("x-request-id", str(number)))))
        for number in range(100)
    ]
    async with asyncio.timeout(SECONDS_MAX):
        await all_in.wait()
        await asyncio.gather(*viewing)
    assert sorted(asked[0] for asked in server.asked) == [*ANN, *BOB]


async def test_a_viewer_is_not_let_in_by_the_token_of_another(server: Server) -> None:
    server.codes[BOB] = grpc.StatusCode.PERMISSION_DENIED
    admissions = Admissions(server.get_batch)
    async with admissions.admitted("b", ANN, asyncio.Event()):
        with pytest.raises(Answer):
            async with admissions.admitted("b", BOB, asyncio.Event()):
                pass


@pytest.mark.parametrize(
    "code", [grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.NOT_FOUND]
)
async def test_a_viewer_whose_token_is_refused_later_is_told(server: Server, code: grpc.StatusCode) -> None:
    admissions = Admissions(server.get_batch)
    flag, other = asyncio.Event(), asyncio.Event()
    async with (
        admissions.admitted("b", ANN, flag) as (ann, _),
        admissions.admitted("b", BOB, other) as (bob, _),
    ):
        assert ann.refusal is None
        server.codes[ANN] = code
        async with asyncio.timeout(SECONDS_MAX):
            await flag.wait()
        assert ann.refusal is not None
        assert (ann.refusal.grpc_code, bob.refusal) == (code, None)
        with pytest.raises(Answer):
            async with admissions.admitted("b", ANN, asyncio.Event()):
                pass
        del server.codes[ANN]  # it was replaced by a new one with the same text
        async with admissions.admitted("b", ANN, asyncio.Event()) as (again, _):
            assert again.refusal is None


async def test_a_viewer_stays_while_the_server_cannot_be_asked(server: Server) -> None:
    admissions = Admissions(server.get_batch)
    async with admissions.admitted("b", ANN, asyncio.Event()) as (ann, _):
        server.codes[ANN] = grpc.StatusCode.UNAVAILABLE
        asked = len(server.asked)
        await until(lambda: len(server.asked) > asked + 3)
        assert ann.refusal is None


async def test_a_viewer_is_refused_although_a_defect_came_before(server: Server) -> None:
    """Otherwise a token that was revoked would be good for as long as its viewer stays."""
    admissions, flag = Admissions(server.get_batch), asyncio.Event()
    async with admissions.admitted("b", ANN, flag) as (ann, _):
        server.codes[ANN] = grpc.StatusCode.UNAUTHENTICATED
        server.defects.append(RuntimeError("a defect"))
        async with asyncio.timeout(SECONDS_MAX):
            await flag.wait()
        assert ann.refusal is not None


async def test_viewers_do_not_wait_for_a_server_that_does_not_answer(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor do their calls, of which there would be more and more."""
    monkeypatch.setattr(admission, "ANSWERED_SECONDS_MAX", 0.01)
    server.answers.clear()
    admissions = Admissions(server.get_batch)
    with pytest.raises(Answer) as refused:
        async with admissions.admitted("b", ANN, asyncio.Event()):
            pass
    assert refused.value.grpc_code is grpc.StatusCode.DEADLINE_EXCEEDED
    await until(lambda: server.waiting == 0)


async def test_nobody_is_asked_for_after_the_last_viewer_has_left(server: Server) -> None:
    admissions = Admissions(server.get_batch)
    async with admissions.admitted("b", ANN, asyncio.Event()):
        await until(lambda: len(server.asked) > 1)
    asked = len(server.asked)
    await asyncio.sleep(0.02)
    assert len(server.asked) <= asked + 1  # the one that was under way
