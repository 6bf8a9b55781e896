"""The gateway as a process: how it starts, what it shows, and how it ends."""

import asyncio
import re
import signal
import sys

import pytest

from services.gateway.settings import GatewaySettings
from tests.support.gateway import SECONDS_MAX, Door, gateway_process, start
from tests.support.progress import Served


async def test_help_explains_the_settings() -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.gateway", "--help"), stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    assert b"GATEWAY_PROGRESS_TARGET" in out


@pytest.mark.parametrize(
    ("environment", "named"),
    [
        ({"GATEWAY_LISTEN": ":8080"}, "GATEWAY_LISTEN: "),
        ({"GATEWAY_METRICS_LISTEN": "9090"}, "GATEWAY_METRICS_LISTEN: "),
        ({"GATEWAY_TOKEN_FILE": "/nowhere/token"}, "GATEWAY_TOKEN_FILE: "),
        ({"GATEWAY_CORS_ORIGINS": "app.example"}, "GATEWAY_CORS_ORIGINS: "),
        ({"GATEWAY_CORS_ORIGINS": "https://app.example/"}, "GATEWAY_CORS_ORIGINS: "),
        ({"GATEWAY_TLS_KEY_FILE": __file__}, "GATEWAY_TLS_CERTIFICATE_FILE and GATEWAY_TLS_KEY_FILE"),
        ({"GATEWAY_TLS_CLIENT_CA_FILE": __file__}, "GATEWAY_TLS_CLIENT_CA_FILE needs"),
        ({"GATEWAY_TLS_CERTIFICATE_FILE": __file__, "GATEWAY_TLS_KEY_FILE": __file__}, "are not a PEM pair"),
    ],
)
async def test_an_invalid_setting_exits_78(environment: dict[str, str], named: str) -> None:
    process = await start(**environment)
    async with asyncio.timeout(SECONDS_MAX):
        _, said = await process.communicate()
    assert process.returncode == 78
    assert said.decode().startswith("configuration: ")
    assert named in said.decode()


async def test_a_port_in_use_exits_78(progress: Served) -> None:
    process = await start(GATEWAY_LISTEN=f"127.0.0.1:{progress.port}")
    async with asyncio.timeout(SECONDS_MAX):
        _, said = await process.communicate()
    assert (process.returncode, b"cannot listen" in said) == (78, True)


async def test_metrics_count_the_calls_by_method_and_code(progress: Served) -> None:
    async with gateway_process(f"127.0.0.1:{progress.port}") as process:
        door = Door(process.port)
        await door.call("GetBatch", batchId="b")
        await door.call("ListBatches")
        (port,) = re.findall(r'"metrics_port": (\d+)', process.log)
        shown = (await Door(int(port)).send("GET", "/metrics")).body.decode()
        process.send(signal.SIGTERM)
        assert await process.ended() == 0
    assert 'batchprogress_call_seconds_count{code="NOT_FOUND",method="GetBatch"} 1.0' in shown
    assert 'batchprogress_call_seconds_count{code="OK",method="ListBatches"} 1.0' in shown
    assert "batchprogress_ready 1.0" in shown
    assert '"event": "stopped"' in process.log
    assert "Traceback" not in process.log


@pytest.mark.parametrize(
    ("listen", "chosen", "reads"),
    [
        ("127.0.0.1:8080", None, True),
        ("[::1]:8080", None, True),
        ("0.0.0.0:8080", None, False),
        ("0.0.0.0:8080", True, True),
        ("127.0.0.1:8080", False, False),
    ],
)
def test_anonymous_reads_are_on_by_default_on_loopback_addresses(
    listen: str,
    chosen: bool | None,  # noqa: FBT001  # a case
    reads: bool,  # noqa: FBT001  # a case
) -> None:
    assert GatewaySettings(listen=listen, anonymous_reads=chosen).reads_anonymously is reads
