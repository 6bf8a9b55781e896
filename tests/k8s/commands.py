"""Runs the commands of the README with the namespace of a test as kubectl's current one."""

import json
import os
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import yaml

from tests.k8s.cluster import Namespace, Output
from tests.unit.k8s.layout import ROOT, kubectl

COMMAND_SECONDS_MAX = 600.0
"""A deployment takes half a minute, but five minutes were measured on a machine with a load of 30."""


@dataclass(frozen=True, slots=True)
class Shell:
    """Runs commands in our checkout, in a namespace."""

    environment: dict[str, str]

    def run(self, *command: str) -> Output:
        """Run a command."""
        done = subprocess.run(
            command,
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS_MAX,
            check=False,
        )
        return Output(done.returncode, done.stdout, done.stderr)

    def deploy(self, overlay: str, options: str = "") -> Output:
        """Run `make deploy`."""
        return self.run(
            "make",
            "--silent",
            "deploy",
            f"OVERLAY={overlay}",
            f"OPTIONS={options}",
            f"PYTHON={sys.executable}",
        )

    def make_secrets(self, *arguments: str) -> Output:
        """Run what `make secrets` runs."""
        return self.run(sys.executable, "-m", "k8s.new_secrets", *arguments)


def shell_in(namespace: Namespace, folder: Path) -> Shell:
    """Return a shell in which a namespace is the current one."""
    context = json.loads(namespace.kubectl("config", "view", "--minify", "--output=json"))["contexts"][0]
    context["context"]["namespace"] = namespace.name
    content = {"apiVersion": "v1", "kind": "Config", "current-context": "tests"}
    own = folder / "kubeconfig"
    own.write_text(yaml.safe_dump({**content, "contexts": [{**context, "name": "tests"}]}), encoding="utf-8")
    files = f"{own}{os.pathsep}{namespace.kubeconfig}"
    return Shell({**os.environ, "KUBECONFIG": files, "KUBECTL": shlex.join(kubectl())})
