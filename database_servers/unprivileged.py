"""Runs servers as `nobody` where the tests run as root, which some refuse."""

import os
from collections.abc import Sequence
from pathlib import Path

NOBODY = 65_534
# With this capability, since an unpacked package may be readable by root only.
CAPABILITY = ("--inh-caps=+dac_override", "--ambient-caps=+dac_override")


def as_nobody() -> Sequence[str]:
    """Return the prefix of a command that must not run as root."""
    if os.geteuid() != 0:
        return ()
    return ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", *CAPABILITY, "--")


def give_to_nobody(folder: Path) -> None:
    """Let that user own a folder and what is in it."""
    if os.geteuid() == 0:
        for path in (folder, *folder.rglob("*")):
            os.chown(path, NOBODY, NOBODY)
