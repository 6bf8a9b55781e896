"""A namespace of a cluster, used with kubectl."""

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
"""A controller reacts within two seconds, later in a busy cluster."""
POLL_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Output:
    """The result of a kubectl command."""

    code: int
    out: str
    err: str


@dataclass(frozen=True, slots=True)
class Namespace:
    """A namespace that enforces Pod Security "restricted"."""

    kubeconfig: Path
    name: str

    def try_kubectl(self, *arguments: str, stdin: str | None = None) -> Output:
        """Run kubectl, which may fail."""
        command = [*kubectl(), f"--kubeconfig={self.kubeconfig}", f"--namespace={self.name}", *arguments]
        done = subprocess.run(
            command,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS_MAX,
            check=False,
        )
        return Output(done.returncode, done.stdout, done.stderr)

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        """Run kubectl, which must succeed without a warning; return its output."""
        output = self.try_kubectl(*arguments, stdin=stdin)
        assert (output.code, output.err) == (0, ""), output
        return output.out

    def apply(self, kustomization: str) -> str:
        """Apply a kustomization on the server side, with strict validation."""
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
        """Read the pods that the controller created for a Job."""
        return self.all_of("pods", f"batch.kubernetes.io/job-name={job}")

    def put_secret(self, name: str, **data: str) -> None:
        """Create a Secret."""
        literals = [f"--from-literal={key}={value}" for key, value in data.items()]
        self.kubectl("create", "secret", "generic", name, *literals)

    def end_pod(self, pod: Manifest, exit_code: int) -> None:
        """Report the end of a pod's container in place of a kubelet: no node has the pod."""
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


def eventually(condition: Callable[[], Any], seconds_max: float = CONTROLLER_SECONDS_MAX) -> Any:
    """Return the first true value of a condition."""
    deadline = time.monotonic() + seconds_max
    while not (found := condition()):
        assert time.monotonic() < deadline, f"not true within {seconds_max} s: {condition}"
        time.sleep(POLL_SECONDS)
    return found
