"""Runs kubectl, with the context and the namespace that it uses by itself."""

import json
import os
import shlex
import subprocess
import sys
from typing import Any

Manifest = dict[str, Any]

PROGRAM_VARIABLE = "KUBECTL"
"""The command to run instead of `kubectl`, such as `microk8s kubectl`."""
COMMAND_SECONDS_MAX = 120.0
"""An apply of all our objects takes seconds; the limit ends one whose API server never answers."""


class KubectlFailed(Exception):
    """A command of kubectl failed; the text is what it printed."""


def kubectl(*arguments: str, stdin: str | None = None, seconds_max: float = COMMAND_SECONDS_MAX) -> str:
    """Run kubectl; its warnings are passed on to standard error.

    Args:
        arguments: the arguments of the command.
        stdin: the standard input.
        seconds_max: the time after which the command is ended.

    Returns:
        What it printed to standard output.

    Raises:
        KubectlFailed: it is not installed, failed, or did not end in time.

    """
    command = [*shlex.split(os.environ.get(PROGRAM_VARIABLE, "kubectl")), *arguments]
    try:
        done = subprocess.run(
            command, input=stdin, capture_output=True, text=True, timeout=seconds_max, check=False
        )
    except FileNotFoundError:
        raise KubectlFailed(f"cannot run {command[0]}: install kubectl, or set {PROGRAM_VARIABLE}") from None
    except subprocess.TimeoutExpired:
        raise KubectlFailed(f"`kubectl {arguments[0]}` did not end within {seconds_max:.0f} s") from None
    if done.returncode:
        raise KubectlFailed(done.stderr.strip() or f"`kubectl {arguments[0]}` failed")
    sys.stderr.write(done.stderr)  # warnings
    return done.stdout


def read(*arguments: str) -> list[Manifest]:
    """Return the objects that a command prints with `--output=json`: a list, one object, or nothing.

    Raises:
        KubectlFailed: as in `kubectl`.

    """
    printed = kubectl(*arguments, "--output=json")
    if not printed.strip():
        return []
    found: Manifest = json.loads(printed)
    items: list[Manifest] = found["items"] if found["kind"] == "List" else [found]
    return items
