"""The bytes with which the file of haproxy asks a server whether it is ready."""

import asyncio
import re

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from rpc.serving.health_servicer import HealthServicer
from tests.proxies.kinds import Haproxy

ANSWER_SECONDS_MAX = 10.0


def check() -> tuple[bytes, bytes]:
    """Return what haproxy sends, and what it expects."""
    text = Haproxy.file.read_text(encoding="utf-8")
    sent = re.findall(r"^ *tcp-check send-binary ([0-9a-f]+)$", text, re.MULTILINE)
    [expected] = re.findall(r"^ *tcp-check expect binary ([0-9a-f]+)$", text, re.MULTILINE)
    return bytes.fromhex("".join(sent)), bytes.fromhex(expected)


async def is_ready(port: int) -> bool:
    """Ask a server as haproxy does."""
    sent, expected = check()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    answer = b""
    try:
        writer.write(sent)
        while expected not in answer and b"grpc-status" not in answer:
            part = await asyncio.wait_for(reader.read(4_096), ANSWER_SECONDS_MAX)
            if not part:
                break
            answer += part
    finally:
        writer.close()
    return expected in answer


async def test_the_check_of_haproxy_tells_ready_servers_from_others() -> None:
    """Haproxy has no check for gRPC, so its file has the bytes of one."""
    states = health_pb2.HealthCheckResponse
    health = HealthServicer({"": states.NOT_SERVING})
    server = grpc.aio.server()
    health_pb2_grpc.add_HealthServicer_to_server(health, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        assert not await is_ready(port)
        health.set("", states.SERVING)
        assert await is_ready(port)
    finally:
        await server.stop(None)
