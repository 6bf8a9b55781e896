"""Builds and runs our image with podman, buildah or docker.

Set `PYTHON_IMAGE` to a local base image if the default one cannot be pulled.
"""

import functools
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from database_servers.commands import output_of
from database_servers.errors import CommandFailed

PROGRAMS = ("podman", "buildah", "docker")
BASE_VARIABLE = "PYTHON_IMAGE"
RUN_SECONDS_MAX = 120.0
"""A start takes a second, but buildah first copies the image, which takes half a minute."""
Run = Callable[..., str]
RESTRICTIONS = ("--read-only", "--network=none", "--cap-drop=ALL", "--security-opt=no-new-privileges")
LOOK_SECONDS_MAX = 30.0
"""The longest wait for an answer of a daemon."""
BUILD_SECONDS_MAX = 1_800.0
"""Includes downloading the base image and all packages."""


@functools.cache
def program() -> str | None:
    """Return the first program that works; a client without its daemon does not."""
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
    """Return why no image can be built, empty if one can."""
    return "" if program() else f"no working image builder: none of {', '.join(PROGRAMS)} answers `info`"


@contextmanager
def built(checkout: Path, tag: str) -> Iterator[Run]:
    """Build the image of a checkout; yields a function that runs it and returns its output."""
    builder, base = program(), os.environ.get(BASE_VARIABLE)
    assert builder is not None
    is_buildah = Path(builder).name == "buildah"
    output_of(
        builder,
        "bud" if is_buildah else "build",
        *(("--build-arg", f"{BASE_VARIABLE}={base}") if base else ()),
        "--file",
        checkout / "Containerfile",
        "--tag",
        tag,
        checkout,
        seconds_max=BUILD_SECONDS_MAX,
    )
    with _run_by_buildah(builder, tag) if is_buildah else nullcontext(_run(builder, tag)) as run:
        yield run


def _run(builder: str, tag: str) -> Run:
    """Return a function that runs the image with the restrictions of the manifests and without a network."""
    return lambda *arguments: output_of(
        builder, "run", "--rm", *RESTRICTIONS, tag, *arguments, seconds_max=RUN_SECONDS_MAX
    )


@contextmanager
def _run_by_buildah(builder: str, tag: str) -> Iterator[Run]:
    """Yield a function that runs the entrypoint; buildah supports neither entrypoints nor RESTRICTIONS."""
    container = output_of(builder, "from", "--pull-never", tag, seconds_max=RUN_SECONDS_MAX).strip()
    try:
        described = json.loads(output_of(builder, "inspect", container, seconds_max=LOOK_SECONDS_MAX))
        command = (builder, "run", container, "--", *described["OCIv1"]["config"]["Entrypoint"])
        yield lambda *arguments: output_of(*command, *arguments, seconds_max=RUN_SECONDS_MAX)
    finally:
        output_of(builder, "rm", container, seconds_max=RUN_SECONDS_MAX)
