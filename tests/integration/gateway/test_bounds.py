"""What clients may send, and what strangers are answered: nothing undocumented, and nothing of ours."""

import asyncio
import gzip
import re

import pytest

from batchprogress.v1 import progress_pb2 as pb
from rpc.answers.request_checks import MESSAGE_BYTES_MAX
from services.gateway.contract import request_bodies
from services.gateway.contract.request_bodies import BODY_BYTES_MAX
from tests.support.eventually import eventually
from tests.support.gateway import JSON, PROGRESS, Door, enveloped, gateway
from tests.support.progress import ROOT, Served

GET_BATCH = f"/{PROGRESS}/GetBatch"
REPORTS = f"/{PROGRESS}/ReportJobResults"
MIB = 1024 * 1024
HEAD = f"POST {REPORTS} HTTP/1.1\r\nhost: localhost\r\ncontent-type: {JSON}\r\n"
FOREIGN = "https://evil.example"


@pytest.mark.parametrize("kind", ["application/json", "application/proto"])
async def test_a_body_of_5_mib_is_refused(closed_door: Door, kind: str) -> None:
    answer = await closed_door.post(REPORTS, 5 * MIB * b" ", kind)
    assert (answer.status, answer.error) == (400, ("invalid_argument", "MESSAGE_TOO_LARGE", ()))


async def test_a_body_without_a_length_is_refused_when_it_is_too_large(closed_door: Door) -> None:
    """The answer arrives although the client still sends."""
    reader, writer = await asyncio.open_connection("127.0.0.1", closed_door.port)
    writer.write(f"{HEAD}transfer-encoding: chunked\r\n\r\n".encode())
    for _ in range(BODY_BYTES_MAX // MIB + 2):
        writer.write(f"{MIB:x}\r\n".encode() + MIB * b" " + b"\r\n")
    assert b"400 Bad Request" in await reader.readline()
    assert b"MESSAGE_TOO_LARGE" in await reader.read()
    writer.close()


@pytest.mark.more("inflates 64 MiB")
async def test_a_small_body_that_inflates_is_refused(closed_door: Door) -> None:
    bomb = gzip.compress(64 * MIB * b" ")
    answer = await closed_door.post(REPORTS, bomb, content_encoding="gzip")
    assert (answer.status, answer.error.reason) == (400, "MESSAGE_TOO_LARGE")


async def test_an_envelope_that_promises_too_much_is_refused(closed_door: Door) -> None:
    prefix = enveloped(b"")[:1] + (MESSAGE_BYTES_MAX + MIB).to_bytes(4, "big")
    answer = await closed_door.post(f"/{PROGRESS}/WatchBatch", prefix + b"{}", "application/connect+json")
    assert b"MESSAGE_TOO_LARGE" in answer.body


async def test_large_bodies_have_bounded_room(progress: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """A body for which there is no room is refused with a time to try again; small ones need none."""
    monkeypatch.setattr(request_bodies, "LARGE_BODIES_BYTES_MAX", MIB)
    async with gateway(f"127.0.0.1:{progress.port}") as door:
        _, writer = await asyncio.open_connection("127.0.0.1", door.port)
        writer.write(f"{HEAD}content-length: {MIB}\r\n\r\n".encode())

        async def is_refused() -> bool:
            answer = await door.post(REPORTS, MIB // 2 * b" ")
            return (
                answer.status == 429
                and answer.error.reason == "GATEWAY_BUSY"
                and "retry-after" in answer.headers
            )

        await eventually(is_refused)
        assert (await door.call("ListBatches")).status == 200
        writer.close()

        async def is_read() -> bool:
            return (await door.post(REPORTS, MIB // 2 * b" ")).error.reason == "MALFORMED_MESSAGE"

        await eventually(is_read)
        assert [await is_read() for _ in range(3)] == 3 * [True]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe",
        b'"text"',
        5_000 * b'{"batch":',
        b'{"batchId": 5}',
        b'{"batchId":"b","batchId":"b"}',
    ],
)
async def test_json_of_no_message_is_refused(closed_door: Door, body: bytes) -> None:
    answer = await closed_door.post(GET_BATCH, body)
    assert (answer.status, answer.error) == (400, ("invalid_argument", "MALFORMED_MESSAGE", ()))
    assert len(answer.body) < 1_000


async def test_bytes_of_no_message_are_refused(door: Door) -> None:
    answer = await door.post(GET_BATCH, b"\x0a\xff", "application/proto")
    assert (answer.status, answer.error.reason) == (400, "MALFORMED_MESSAGE")


async def test_unknown_fields_are_ignored(door: Door, progress: Served) -> None:
    """A client may be newer than the gateway."""
    await progress.create("b", 1)
    assert (await door.call("GetBatch", batchId="b", nobodyKnows={"a": 1})).status == 200


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example:8080", "[::1", ""])
@pytest.mark.parametrize("path", [GET_BATCH, "/", "/nowhere"])
async def test_a_foreign_host_is_refused(closed_door: Door, path: str, host: str) -> None:
    """A website that points its own name at this address (DNS rebinding) reads nothing."""
    answer = await closed_door.post(path, b'{"batchId":"b"}', host=host)
    assert (answer.status, answer.json["code"]) == (421, "permission_denied")
    assert "GATEWAY_ALLOWED_HOSTS" in answer.json["message"]


async def test_an_allowed_host_is_answered(progress: Served) -> None:
    async with gateway(f"127.0.0.1:{progress.port}", allowed_hosts="progress.example") as door:
        assert (await door.post(f"/{PROGRESS}/ListBatches", b"{}", host="Progress.Example:1")).status == 200


async def test_a_foreign_page_may_call_nothing(closed_door: Door) -> None:
    """Its browser asks first, and is not allowed to go on."""
    asked = await closed_door.send("OPTIONS", GET_BATCH, origin=FOREIGN, access_control_request_method="POST")
    assert asked.status == 405
    read = await closed_door.post(GET_BATCH, b"{}", origin=FOREIGN)
    assert not {name for name in asked.headers | read.headers if name.startswith("access-control")}


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
async def test_what_pages_send_without_asking_is_refused(closed_door: Door, kind: str) -> None:
    """A browser sends these types to any website, without asking the server first."""
    assert (await closed_door.post(f"/{PROGRESS}/CreateBatch", b'{"batchId":"b"}', kind)).status == 415


async def test_a_page_of_an_allowed_origin_may_call(progress: Served) -> None:
    ours = "https://app.example"
    async with gateway(f"127.0.0.1:{progress.port}", cors_origins=f"https://a.example, {ours}") as door:
        asked = await door.send(
            "OPTIONS",
            GET_BATCH,
            origin=ours,
            access_control_request_method="POST",
            access_control_request_headers="authorization,content-type,connect-protocol-version",
        )
        assert (asked.status, asked.headers["access-control-allow-origin"]) == (200, ours)
        assert asked.headers["access-control-max-age"] == "7200"
        read = await door.post(GET_BATCH, b"{}", origin=ours)
        assert read.headers["access-control-allow-origin"] == ours
        assert "retry-after" in read.headers["access-control-expose-headers"]
        foreign = await door.send("OPTIONS", GET_BATCH, origin=FOREIGN, access_control_request_method="POST")
        assert (foreign.status, "access-control-allow-origin" in foreign.headers) == (400, False)


@pytest.mark.parametrize(
    ("path", "kind", "status"),
    [
        ("/", JSON, 405),
        (f"/{PROGRESS}/NoSuchMethod", JSON, 404),
        ("/grpc.health.v1.Health/Check", JSON, 404),
        (f"{GET_BATCH}/../ListBatches", JSON, 404),
        (GET_BATCH, "application/grpc", 415),
        (GET_BATCH, "application/grpc+proto", 415),
        (GET_BATCH, "application/xml", 415),
        (GET_BATCH, "application/connect+json", 415),
    ],
)
async def test_what_the_gateway_does_not_have_is_refused(
    closed_door: Door, path: str, kind: str, status: int
) -> None:
    assert (await closed_door.post(path, b"{}", kind)).status == status


@pytest.mark.parametrize(
    ("name", "value"),
    [("connect_timeout_ms", "-1"), ("connect_timeout_ms", "x" * 11), ("connect_protocol_version", "2")],
)
async def test_an_invalid_header_is_refused(closed_door: Door, name: str, value: str) -> None:
    answer = await closed_door.post(GET_BATCH, b"{}", **{name: value})
    assert (answer.status, answer.json["code"]) == (400, "invalid_argument")


@pytest.mark.parametrize(("name", "value"), [("authorization", "Bearer \xe9"), ("x_request_id", "a\tb")])
async def test_a_header_that_grpc_cannot_carry_is_refused(closed_door: Door, name: str, value: str) -> None:
    answer = await closed_door.post(GET_BATCH, b"{}", **{name: value})
    assert (answer.status, answer.json["code"]) == (400, "invalid_argument")


@pytest.mark.more("reports 1,000 long errors")
async def test_an_answer_larger_than_grpcs_default_is_passed_on(door: Door, progress: Served) -> None:
    """A page of 1,000 results with long errors takes some 5 MiB."""
    await progress.create("b", 1_000)
    results = [
        pb.ReportJobResultRequest(
            batch_id="b", job_id=str(n), outcome=pb.JOB_OUTCOME_FAILED, error_message=f"{n}" + 4_000 * "é"
        )
        for n in range(1_000)
    ]
    for start in range(0, 1_000, 250):
        await progress.stub.ReportJobResults(pb.ReportJobResultsRequest(results=results[start : start + 250]))
    answer = await door.call("ListJobResults", batchId="b", pageSize=1_000)
    assert (answer.status, len(answer.json["jobResults"])) == (200, 1_000)


async def test_health_needs_no_name(closed_door: Door) -> None:
    answer = await closed_door.send("GET", "/health", host="10.1.2.3:8080")
    assert (answer.status, answer.json) == (200, {"status": "serving"})


def test_each_reason_of_the_gateway_is_documented() -> None:
    page = (ROOT / "docs" / "http.md").read_text(encoding="utf-8")
    room = ROOT / "services" / "gateway" / "contract"
    code = "".join(file.read_text(encoding="utf-8") for file in room.glob("*.py"))
    reasons = set(re.findall(r'Refusal\(\s*[\w.]+, "([A-Z_]+)"', code)) - {"INTERNAL", "REFUSED_ON_THE_WAY"}
    assert len(reasons) > 4
    assert [reason for reason in sorted(reasons) if f"`{reason}`" not in page] == []
