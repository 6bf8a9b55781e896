"""Runs the commands of a page in terminals of one folder, as a reader does."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.packages.environment import CONSTRAINTS, uv

BASH = shutil.which("bash") or "/bin/bash"
COMMAND_SECONDS_MAX = 300.0
"""Ends a run that hangs. Every command takes seconds, the installation up to a minute."""


class Terminals:
    """The terminals of a reader; leaving the context kills what still runs in them.

    Args:
        folder: Their working directory. What the page calls `environment` is created in it.
        variables: Further environment variables.

    """

    def __init__(self, folder: Path, variables: Mapping[str, str]) -> None:
        self._folder = folder
        programs = folder / ".programs"
        programs.mkdir()
        (programs / "python3").symlink_to(Path(sys.executable).resolve())
        # pip itself takes a minute, and ignores our locks.
        (programs / "functions").write_text(f'pip() {{ {uv()} pip "$@"; }}\n')
        own = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        self._variables = {
            **own,
            **variables,
            "PATH": f"{folder}/environment/bin:{programs}:{own['PATH']}",
            "VIRTUAL_ENV": str(folder / "environment"),
            "BASH_ENV": str(programs / "functions"),
            "UV_CONSTRAINT": str(CONSTRAINTS),
        }
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Self:
        """Return the terminals."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Kill every program that still runs."""
        for name in list(self._running):
            self.end(name, signal.SIGKILL)

    def run(self, commands: str, expected_code: int = 0) -> str:
        """Run commands to their end and return their output."""
        done = subprocess.run(
            [BASH, "-euc", commands],
            cwd=self._folder,
            env=self._variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=COMMAND_SECONDS_MAX,
            check=False,
        )
        assert done.returncode == expected_code, f"{commands}\n{done.stdout}\n{self._logs()}"
        return done.stdout

    def start(self, name: str, command: str) -> None:
        """Run a command in the terminal of this name, and leave it running."""
        log = self._folder / f"{name}.log"
        with log.open("wb") as output:
            self._running[name] = subprocess.Popen(
                [BASH, "-euc", command],
                cwd=self._folder,
                env=self._variables,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def log(self, name: str) -> str:
        """Return what a terminal shows."""
        return (self._folder / f"{name}.log").read_text()

    def end(self, name: str, how: signal.Signals) -> None:
        """Send a signal to what runs in a terminal and wait for its end."""
        process = self._running.pop(name)
        if process.poll() is None:
            os.killpg(process.pid, how)
        process.wait(COMMAND_SECONDS_MAX)

    def _logs(self) -> str:
        return "\n".join(f"--- {log.name}\n{log.read_text()}" for log in self._folder.glob("*.log"))
