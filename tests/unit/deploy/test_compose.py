"""The compose file."""

import os
import shutil
import signal
import subprocess
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support import not_run
from tests.support.program_settings import OLD_NAMES, READ_BY, ROOT, load_settings, variables_read_by

FILE = ROOT / "deploy/compose/compose.yaml"
COMPOSE: dict[str, Any] = yaml.safe_load(FILE.read_text(encoding="utf-8"))
SERVICES: dict[str, Any] = COMPOSE["services"]
PROGRAMS = {name: service for name, service in SERVICES.items() if name != "mysql"}
SECRETS_FOLDER = "/run/secrets/"
NAMED_IN_SUBSCRIPTIONS = {"webhook_secret"}
"""The secrets of receivers, which the file of subscriptions names instead of a variable."""
EXIT_SECONDS_MIN = 10
START_SECONDS_MAX = 30.0
POLL_SECONDS = 0.02

by_program = pytest.mark.parametrize("name", PROGRAMS)


def test_every_program_is_a_service() -> None:
    assert PROGRAMS.keys() == READ_BY.keys() - OLD_NAMES


@by_program
def test_image_has_the_version_of_the_checkout(name: str) -> None:
    """The image is built from the Containerfile of this checkout."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    assert PROGRAMS[name]["image"] == f"batchprogress:{version}"
    build = PROGRAMS[name]["build"]
    assert (FILE.parent / build["context"]).resolve() == ROOT
    assert (ROOT / build["dockerfile"]).is_file()


@by_program
def test_command_is_a_module(name: str) -> None:
    """The image's entrypoint is python -m, except in the loop of the reconciler."""
    command = PROGRAMS[name]["command"]
    module = "reconciler" if name == "reconciler" else command[0]
    assert (ROOT.joinpath(*module.split(".")) / "__main__.py").is_file()
    assert ("entrypoint" in PROGRAMS[name]) == (name == "reconciler")


@by_program
def test_settings_are_accepted(name: str, tmp_path: Path) -> None:
    """Every variable is a setting that the program reads."""
    environment = PROGRAMS[name]["environment"]
    assert environment.keys() - variables_read_by(name) == set()
    assert load_settings(name, environment, SECRETS_FOLDER, tmp_path)


@by_program
def test_secrets_are_files(name: str) -> None:
    """A service gets exactly the secrets that it reads, and no variable contains one."""
    values = [str(value) for value in PROGRAMS[name]["environment"].values()]
    read = {value.removeprefix(SECRETS_FOLDER) for value in values if value.startswith(SECRETS_FOLDER)}
    assert read == set(PROGRAMS[name].get("secrets", [])) - NAMED_IN_SUBSCRIPTIONS
    assert read <= COMPOSE["secrets"].keys()
    assert [value for value in values if "@" in value] == []


@pytest.mark.parametrize(
    ("caller", "setting", "server"),
    [
        ("gateway", "GATEWAY_PROGRESS_TARGET", "progress"),
        ("reconciler", "RECONCILER_JOB_STATUS_TARGET", "job-status"),
    ],
)
def test_target_is_the_port_of_a_service(caller: str, setting: str, server: str) -> None:
    """The server listens on all interfaces of its container."""
    host, _, port = PROGRAMS[caller]["environment"][setting].partition(":")
    listen = PROGRAMS[server]["environment"][f"{server.replace('-', '_').upper()}_LISTEN"]
    assert (host, f"0.0.0.0:{port}") == (server, listen)


def test_ports_are_published_on_this_machine_only() -> None:
    """Without tokens, anyone who can reach a port has full access."""
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert ports
    assert [port for port in ports if not port.startswith("127.0.0.1:")] == []


def test_tables_exist_before_their_readers_start() -> None:
    migrated = {"condition": "service_completed_successfully"}
    for name in ("progress", "notifier", "reconciler"):
        assert PROGRAMS[name]["depends_on"]["migrate"] == migrated
    assert PROGRAMS["migrate"]["depends_on"]["mysql"] == {"condition": "service_healthy"}
    assert PROGRAMS["migrate"]["restart"] == "no"


@pytest.mark.parametrize("name", ["progress", "job-status", "gateway", "notifier"])
def test_grace_period_covers_the_drain(name: str, tmp_path: Path) -> None:
    settings = load_settings(name, PROGRAMS[name]["environment"], SECRETS_FOLDER, tmp_path)
    drain = max(getattr(one, "drain_seconds", 0) for one in settings)
    assert int(PROGRAMS[name]["stop_grace_period"].removesuffix("s")) >= drain + EXIT_SECONDS_MIN


def test_stuck_after_is_the_same_everywhere() -> None:
    watchers = PROGRAMS["progress"]["environment"]["PROGRESS_STUCK_AFTER"]
    assert watchers == PROGRAMS["reconciler"]["environment"]["RECONCILER_STUCK_AFTER"]


@by_program
def test_containers_have_no_privileges(name: str) -> None:
    service = PROGRAMS[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]


def test_docker_accepts_the_file() -> None:
    """`docker compose config` interpolates and validates it."""
    docker = shutil.which("docker")
    if docker is None or not _succeeds(docker, "compose", "version"):
        not_run.absent("no docker compose")
    command = [docker, "compose", "--file", str(FILE), "config", "--quiet"]
    checked = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stderr) == (0, "")


@pytest.fixture
def loop(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run the reconciler's loop, whose `python` and `sleep` write what they do to `log`.

    The first two sleeps end at once. The third pass runs until it is stopped.
    """
    _write_program(
        tmp_path / "python",
        "trap 'echo stopped >> log; exit 0' TERM; "
        'echo "$@" >> log; [ "$(grep -c reconciler log)" -lt 3 ] && exit 1; '
        "while :; do /bin/sleep 0.01; done",
    )
    _write_program(tmp_path / "sleep", '[ "$1" = 300 ] && echo sleep 300 >> log')
    (script,) = PROGRAMS["reconciler"]["command"]
    with subprocess.Popen(
        [*PROGRAMS["reconciler"]["entrypoint"], script.replace("$$", "$")],
        cwd=tmp_path,
        env={"PATH": f"{tmp_path}:{os.environ['PATH']}"},
    ) as process:
        yield process
        process.kill()


def test_reconciler_runs_every_five_minutes_and_stops_gracefully(
    loop: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    """A failed pass does not end the loop. On SIGTERM it stops the current pass and waits for it."""
    log = tmp_path / "log"
    deadline = time.monotonic() + START_SECONDS_MAX
    while not log.exists() or log.read_text().count("reconciler") < 3:
        assert time.monotonic() < deadline
        time.sleep(POLL_SECONDS)
    loop.send_signal(signal.SIGTERM)
    assert loop.wait(START_SECONDS_MAX) == 0
    a_pass, pause = "-m reconciler", "sleep 300"
    assert log.read_text().splitlines() == [a_pass, pause, a_pass, pause, a_pass, "stopped"]


def _succeeds(*command: str) -> bool:
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def _write_program(path: Path, script: str) -> None:
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(0o755)
