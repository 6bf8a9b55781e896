"""A program that builds images, if this machine has one that works.

`PYTHON_IMAGE` names the base image where it cannot be pulled from its registry: one that this machine has.
"""

import functools
import json
import os
import shutil
from pathlib import Path

from tests.support.databases.commands import output_of
from tests.support.databases.errors import CommandFailed

PROGRAMS = ("podman", "buildah", "docker")
BASE_VARIABLE = "PYTHON_IMAGE"
RUN_SECONDS_MAX = 120.0
"""A start takes a second, the copy that buildah makes for each run some more."""
RESTRICTIONS = ("--read-only", "--network=none", "--cap-drop=ALL", "--security-opt=no-new-privileges")
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
    builder = _program()
    base = os.environ.get(BASE_VARIABLE)
    output_of(
        builder,
        "bud" if _is_buildah(builder) else "build",
        *(("--build-arg", f"{BASE_VARIABLE}={base}") if base else ()),
        "--file",
        checkout / "Containerfile",
        "--tag",
        tag,
        checkout,
        seconds_max=BUILD_SECONDS_MAX,
    )


def run(tag: str, *arguments: str) -> str:
    """Run an image as the manifests do, read-only and without a network; return what it printed."""
    builder = _program()
    if _is_buildah(builder):
        return _run_by_buildah(builder, tag, *arguments)
    return output_of(builder, "run", "--rm", *RESTRICTIONS, tag, *arguments, seconds_max=RUN_SECONDS_MAX)


def _run_by_buildah(builder: str, tag: str, *arguments: str) -> str:
    """Run the entrypoint as the image's user; buildah knows no more restrictions, and no entrypoint."""
    container = output_of(builder, "from", "--pull-never", tag, seconds_max=RUN_SECONDS_MAX).strip()
    try:
        described = json.loads(output_of(builder, "inspect", container, seconds_max=LOOK_SECONDS_MAX))
        entrypoint = described["OCIv1"]["config"]["Entrypoint"]
        command = (builder, "run", container, "--", *entrypoint, *arguments)
        return output_of(*command, seconds_max=RUN_SECONDS_MAX)
    finally:
        output_of(builder, "rm", container, seconds_max=RUN_SECONDS_MAX)


def _program() -> str:
    found = program()
    assert found is not None
    return found


def _is_buildah(builder: str) -> bool:
    return Path(builder).name == "buildah"
