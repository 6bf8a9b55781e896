"""python -m services.dashboard: for one version, the gateway with the settings of the dashboard of 0.1."""

import asyncio
import json
import sys
from pathlib import Path

import pytest

from rpc.callers.principal import Role
from services.dashboard.settings import DashboardSettings
from tests.integration.security.conftest import Serve, Tokens, serve, tokens
from tests.support.gateway import SECONDS_MAX, Door
from tests.support.progress import ROOT, serving, start_from

__all__ = ["serve", "tokens"]  # fixtures


async def start(**environment: str) -> asyncio.subprocess.Process:
    """Start it with its log on a pipe; the gateway beside it has settings of its own."""
    environment = {"DASHBOARD_LISTEN": "127.0.0.1:0", "GATEWAY_LISTEN": "127.0.0.1:1", **environment}
    return await start_from(ROOT, environment, "services.dashboard")


async def test_the_settings_of_0_1_serve_the_page_for_reads_only(
    serve: Serve, tokens: Tokens, tmp_path: Path
) -> None:
    """Callers without a token read with its token; the log names the new settings once."""
    file = tmp_path / "token"
    file.write_text(tokens.add("page", Role.READER, Role.OPERATOR), encoding="ascii")
    async with serve(tokens_file=tokens.path) as server:
        target = f"127.0.0.1:{server.port}"
        settings = {
            "DASHBOARD_PROGRESS_TARGET": target,
            "DASHBOARD_PROGRESS_TOKEN_FILE": str(file),
            "DASHBOARD_VIEWERS_MAX": "7",
        }
        async with serving(await start(**settings)) as process:
            door = Door(process.port)
            assert b"<html" in (await door.send("GET", "/")).body
            assert (await door.call("ListBatches")).status == 200
            assert (await door.call("CreateBatch", batchId="b", totalJobs=1)).status == 404
    (told,) = [line for line in process.log.splitlines() if "is now the page of the gateway" in line]
    assert json.loads(told)["new_settings"] == {
        "DASHBOARD_LISTEN": "GATEWAY_LISTEN",
        "DASHBOARD_PROGRESS_TARGET": "GATEWAY_PROGRESS_TARGET",
        "DASHBOARD_PROGRESS_TOKEN_FILE": "GATEWAY_TOKEN_FILE",
        "DASHBOARD_VIEWERS_MAX": "GATEWAY_VIEWERS_MAX",
    }


def test_callers_without_a_token_read_on_every_address() -> None:
    settings = DashboardSettings(listen="0.0.0.0:8080")
    assert (settings.reads_anonymously, settings.read_only, settings.drain_seconds) == (True, True, 5)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DASHBOARD_LISTEN", "8080"),
        ("DASHBOARD_VIEWERS_MAX", "0"),
        ("DASHBOARD_PROGRESS_CA_FILE", "/nowhere/ca.pem"),
        ("DASHBOARD_PROGRESS_TOKEN_FILE", "/nowhere/token"),
    ],
)
async def test_invalid_setting_exits_78(name: str, value: str) -> None:
    """The message names the variable that was set."""
    process = await start(**{name: value})
    async with asyncio.timeout(SECONDS_MAX):
        _, said = await process.communicate()
    assert (process.returncode, f"configuration: {name}: " in said.decode()) == (78, True)


async def test_help_names_the_new_program() -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.dashboard", "--help"), stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    assert b"services.gateway" in out
