"""The gateway as a process: how it starts, what it shows, and how it ends."""

import asyncio
import re
import signal
import sys

import pytest

from process.configuration import load
from services.gateway.settings import GatewaySettings
from services.gateway.wiring import GatewayServer
from tests.support.events import events
from tests.support.gateway import Door, gateway_process
from tests.support.progress import Served


@pytest.mark.more("starts a process")
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
        (
            {"GATEWAY_TLS_KEY_FILE": __file__},
            "GATEWAY_TLS_KEY_FILE is set, so set GATEWAY_TLS_CERTIFICATE_FILE",
        ),
        ({"GATEWAY_TLS_CLIENT_CA_FILE": __file__}, "GATEWAY_TLS_CLIENT_CA_FILE needs"),
        ({"GATEWAY_TLS_CERTIFICATE_FILE": __file__, "GATEWAY_TLS_KEY_FILE": __file__}, "are not a PEM pair"),
    ],
)
async def test_an_invalid_setting_exits_78(
    environment: dict[str, str],
    named: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, value in ({"GATEWAY_LISTEN": "127.0.0.1:0"} | environment).items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as exit_code:
        GatewayServer(load(GatewaySettings))
    assert exit_code.value.code == 78
    said = capsys.readouterr().err
    assert said.startswith("configuration: ")
    assert named in said


async def test_a_port_in_use_exits_78(progress: Served, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_code:
        GatewayServer(GatewaySettings(listen=f"127.0.0.1:{progress.port}"))
    assert exit_code.value.code == 78
    assert "cannot listen on" in capsys.readouterr().err


@pytest.mark.more("starts a process")
async def test_metrics_count_the_calls_by_method_and_code(progress: Served) -> None:
    async with gateway_process(f"127.0.0.1:{progress.port}") as process:
        door = Door(process.port)
        await door.call("GetBatch", batchId="b")
        await door.call("ListBatches")
        (port,) = re.findall(r'"metrics_port": (\d+)', process.log)
        await door.call("CreateBatch", batchId="b", totalJobs=1)
        async with events(door, "b") as one, events(door, "b") as other:
            await anext(one)
            await anext(other)
            shown = (await Door(int(port)).send("GET", "/metrics")).body.decode()
        process.send(signal.SIGTERM)
        assert await process.ended() == 0
    assert 'batchprogress_call_seconds_count{code="NOT_FOUND",method="GetBatch"} 1.0' in shown
    assert 'batchprogress_call_seconds_count{code="OK",method="ListBatches"} 1.0' in shown
    assert "batchprogress_ready 1.0" in shown
    assert "batchprogress_event_viewers 2.0" in shown
    assert "batchprogress_event_watches 1.0" in shown
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
