"""Go, protoc's plugins for Go, and the modules of clients/go, from Debian's packages.

As a program it prints the options with which protoc finds the plugins: `make proto` uses them.
"""

import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from database_servers.cache import cache_folder
from database_servers.commands import output_of
from database_servers.debian_packages import incomplete, unpacked_packages

COMPILER = "golang-go"
"""With what it depends on: the current release of Go."""
MODULES = (
    "golang-github-golang-protobuf-1-5-dev",
    "golang-golang-x-net-dev",
    "golang-golang-x-sys-dev",
    "golang-golang-x-text-dev",
    "golang-google-genproto-dev",
    "golang-google-grpc-dev",
    "golang-google-protobuf-dev",
)
"""Without what they depend on, which is 2 GB: no package that our client imports needs it."""
PLUGINS = ("protoc-gen-go", "protoc-gen-go-grpc")
PLUGIN_PACKAGES = ("protoc-gen-go-1-5", "protoc-gen-go-grpc")
DEBIANS_OWN = ("github.com/golang/protobuf", "v1.5.4")
"""Debian generates a package of gRPC so that it imports this module, which gRPC itself does not need."""
REQUIREMENT = re.compile(r"^\t(\S+) (v\S+)", re.MULTILINE)
BUILD_SECONDS_MAX = 600.0
"""A first build compiles gRPC: 40 s of a core."""


@dataclass(frozen=True, slots=True)
class Go:
    """Go in unpacked folders."""

    root: Path
    """Its own folder, GOROOT."""
    modules: Path

    @property
    def plugins(self) -> list[Path]:
        """Protoc's plugins."""
        return [self.modules / "usr/bin" / name for name in PLUGINS]

    def build(self, module: Path) -> None:
        """Build the programs of a copy of our client into its folder `bin`, without a network.

        Raises:
            CommandFailed: it does not compile.

        """
        if not (module / "vendor").exists():
            self._vendor(module)
        settings = {
            "GOROOT": str(self.root),
            "GOCACHE": str(cache_folder() / "go-build"),
            "GOPATH": str(module / "nothing"),
            "GOFLAGS": "-mod=vendor",
            "GOPROXY": "off",
            "GOTOOLCHAIN": "local",
            "CGO_ENABLED": "0",
        }
        command = ("env", *(f"{name}={value}" for name, value in settings.items()), str(self.root / "bin/go"))
        build = ("build", "-trimpath", "-o", "bin/", "./cmd/...")
        output_of(*command, *build, seconds_max=BUILD_SECONDS_MAX, folder=module)

    def _vendor(self, module: Path) -> None:
        """Put the modules into the folder `vendor`, as `go mod vendor` does."""
        with (module / "go.mod").open("a", encoding="utf-8") as file:
            file.write("\nrequire (\n\t{} {}\n)\n".format(*DEBIANS_OWN))
        lines: list[str] = []
        for name, version in REQUIREMENT.findall((module / "go.mod").read_text(encoding="utf-8")):
            lines += [f"# {name} {version}", "## explicit; go 1.25"]
            lines += sorted(self._copy(name, module / "vendor"))
        (module / "vendor/modules.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")

    def _copy(self, name: str, vendor: Path) -> Iterator[str]:
        """Copy a module; yield its packages."""
        sources = self.modules / "usr/share/gocode/src"
        shutil.copytree(sources / name, vendor / name, dirs_exist_ok=True)
        for folder, _, files in os.walk(sources / name):
            if any(file.endswith(".go") and not file.endswith("_test.go") for file in files):
                yield str(Path(folder).relative_to(sources))


@cache
def go() -> Go:
    """Return Go, after downloading it if needed.

    Raises:
        PackageUnavailable: this machine does not run Debian, or no archive has the packages.
        CommandFailed: dpkg or apt failed.

    """
    tree = unpacked_packages("go-sid", (COMPILER,))
    root = next(tree.glob("usr/lib/go-1.*"), None)
    if root is None:
        raise incomplete(tree)
    packages = (*MODULES, *PLUGIN_PACKAGES)
    found = Go(root, unpacked_packages("go-modules-sid", packages, dependencies=False))
    if not all(path.exists() for path in found.plugins):
        raise incomplete(found.modules)
    return found


if __name__ == "__main__":
    print(*(f"--plugin={path}" for path in go().plugins))
