"""Builds the packages and installs them into empty environments."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.support.progress import ROOT

BUILT = "DIST"
"""The environment variable with the folder of packages that are built already, by `make dist`."""
CONSTRAINTS = ROOT / "locks/runtime.txt"


def uv() -> str:
    """Return the uv that the Makefile uses."""
    return shutil.which("uv") or str(ROOT / ".tools/uv/bin/uv")


def build(folder: Path) -> Path:
    """Return a folder with sdist and wheel of the client and of the server; build them if need be."""
    if BUILT in os.environ:
        return ROOT / os.environ[BUILT]
    for project in (ROOT, ROOT / "clients/python"):
        # Without isolation: hatchling comes from our own environment, not from the network.
        options = ("--no-build-isolation", "--python", sys.executable, "--out-dir", str(folder))
        subprocess.run([uv(), "build", "--quiet", *options, str(project)], check=True)
    return folder


def wheel(packages: Path, name: str, extras: str = "") -> str:
    """Return the requirement of the one wheel of a distribution."""
    (path,) = packages.glob(f"{name}-*.whl")
    return f"{path}{extras}"


class Environment:
    """A virtual environment without the checkout.

    Args:
        folder: Where it is created. `folder / "work"` becomes the working directory of its programs.
        requirements: What is installed, with versions as locked.

    """

    def __init__(self, folder: Path, *requirements: str) -> None:
        self._bin = folder / "environment/bin"
        self.work = folder / "work"
        self.work.mkdir()
        subprocess.run(
            [uv(), "venv", "--quiet", "--python", sys.executable, str(self._bin.parent)], check=True
        )
        install = ("pip", "install", "--quiet", "--python", str(self._bin / "python"))
        subprocess.run([uv(), *install, "--constraint", str(CONSTRAINTS), *requirements], check=True)

    @property
    def variables(self) -> dict[str, str]:
        """The environment variables of its programs: its own programs first, no path into the checkout."""
        own = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        return {**own, "PATH": f"{self._bin}:{own['PATH']}", "VIRTUAL_ENV": str(self._bin.parent)}

    def programs(self) -> set[str]:
        """Return the names of our programs that are installed."""
        return {path.name for path in self._bin.glob("batchprogress*")}

    def run(self, program: str, *arguments: str) -> str:
        """Run a program to its end, which must be exit code 0; return its standard output."""
        command = [str(self._bin / program), *arguments]
        done = subprocess.run(
            command, cwd=self.work, env=self.variables, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def start(self, program: str, **settings: str) -> subprocess.Popen[str]:
        """Start a program that runs until it is stopped; its log is on a pipe."""
        return subprocess.Popen(
            [str(self._bin / program)],
            cwd=self.work,
            env={**self.variables, **settings},
            stderr=subprocess.PIPE,
            text=True,
        )
