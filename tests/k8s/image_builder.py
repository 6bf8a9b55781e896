"""A program that builds images, if this machine has one that works."""

import functools
import shutil
from pathlib import Path

from tests.support.databases.commands import output_of
from tests.support.databases.errors import CommandFailed

PROGRAMS = ("podman", "buildah", "docker")
LOOK_SECONDS_MAX = 30.0
"""Whether a daemon answers."""
BUILD_SECONDS_MAX = 1_800.0
"""Two base images and all packages from their registries."""


@functools.cache
def program() -> str | None:
    """Return the first that works: a client without its daemon builds nothing."""
    for name in PROGRAMS:
        found = shutil.which(name)
        if found is None:
            continue
        try:
            output_of(found, "info", seconds_max=LOOK_SECONDS_MAX)
        except CommandFailed:
            continue
        return found
    return None


def missing_reason() -> str:
    """Return why no image can be built; empty if one can."""
    return "" if program() else f"no working image builder: none of {', '.join(PROGRAMS)} answers `info`"


def build(checkout: Path, tag: str) -> None:
    """Build the image of a checkout."""
    builder = program()
    assert builder is not None
    command = "bud" if Path(builder).name == "buildah" else "build"
    output_of(
        builder,
        command,
        "--file",
        checkout / "Containerfile",
        "--tag",
        tag,
        checkout,
        seconds_max=BUILD_SECONDS_MAX,
    )
