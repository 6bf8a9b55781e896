"""kubectl in a namespace of its own, and what it finds there."""

import json
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.unit.k8s.layout import Manifest, kubectl

COMMAND_SECONDS_MAX = 60
CONTROLLER_SECONDS_MAX = 60.0
"""A controller takes a second or two; a cluster that is busy with others more."""
POLL_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Said:
    """What kubectl answered."""

    code: int
    out: str
    err: str


@dataclass(frozen=True, slots=True)
class Namespace:
    """A namespace whose pods must pass Pod Security "restricted"."""

    kubeconfig: Path
    name: str

    def try_kubectl(self, *arguments: str, stdin: str | None = None) -> Said:
        """Run kubectl; whatever it answers is returned."""
        command = [*kubectl(), f"--kubeconfig={self.kubeconfig}", f"--namespace={self.name}", *arguments]
        done = subprocess.run(
            command,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS_MAX,
            check=False,
        )
        return Said(done.returncode, done.stdout, done.stderr)

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        """Run kubectl, which must succeed and warn of nothing; return what it printed."""
        said = self.try_kubectl(*arguments, stdin=stdin)
        assert (said.code, said.err) == (0, ""), said
        return said.out

    def apply(self, kustomization: str) -> str:
        """Apply a kustomization by the server's own rules, strictly."""
        return self.kubectl("apply", "--server-side", "--validate=strict", "-k", kustomization)

    def get(self, kind: str, name: str) -> Manifest:
        """Read one object."""
        found: Manifest = json.loads(self.kubectl("get", kind, name, "--output=json"))
        return found

    def all_of(self, kind: str, selector: str = "") -> list[Manifest]:
        """Read all objects of a kind."""
        found = json.loads(self.kubectl("get", kind, f"--selector={selector}", "--output=json"))
        items: list[Manifest] = found["items"]
        return items

    def pods_of(self, job: str) -> list[Manifest]:
        """Read the pods that the controller made for a Job."""
        return self.all_of("pods", f"batch.kubernetes.io/job-name={job}")

    def put_secret(self, name: str, **data: str) -> None:
        """Create a Secret."""
        literals = [f"--from-literal={key}={value}" for key, value in data.items()]
        self.kubectl("create", "secret", "generic", name, *literals)

    def end_pod(self, pod: Manifest, exit_code: int) -> None:
        """Tell what the kubelet tells when a pod's container has ended: there are no nodes here."""
        ended = {"terminated": {"exitCode": exit_code, "reason": "Error" if exit_code else "Completed"}}
        (container,) = pod["spec"]["containers"]
        status = {
            "phase": "Failed" if exit_code else "Succeeded",
            "containerStatuses": [
                {
                    "name": container["name"],
                    "image": container["image"],
                    "imageID": "",
                    "ready": False,
                    "restartCount": 0,
                    "state": ended,
                }
            ],
        }
        self.kubectl(
            "patch", "pod", pod["metadata"]["name"], "--subresource=status", "--type=merge",
            "--patch", json.dumps({"status": status}),
        )  # fmt: skip


def eventually(look: Callable[[], Any], seconds_max: float = CONTROLLER_SECONDS_MAX) -> Any:
    """Return the first true answer."""
    deadline = time.monotonic() + seconds_max
    while not (found := look()):
        assert time.monotonic() < deadline, f"not within {seconds_max} s: {look}"
        time.sleep(POLL_SECONDS)
    return found
