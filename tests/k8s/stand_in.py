"""Reports the pods of a namespace as running, as a kubelet does, on clusters with and without nodes."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

from tests.k8s.cluster import Namespace
from tests.unit.k8s.layout import Manifest

SCHEDULER = "batchprogress-tests"
"""A name that no scheduler has, so that no node of the cluster takes these pods."""
POD_SPECS = {
    "Deployment|Job": "/spec/template/spec",
    "CronJob": "/spec/jobTemplate/spec/template/spec",
}
"""The path of the pod's fields in each kind of workload."""
SCHEDULED_BY_TESTS: list[dict[str, Any]] = [
    {
        "target": {"kind": kind},
        "patch": json.dumps([{"op": "add", "path": f"{path}/schedulerName", "value": SCHEDULER}]),
    }
    for kind, path in POD_SPECS.items()
]
"""The patches of an overlay whose pods only a test runs and reports."""
CONDITIONS = ("PodScheduled", "Initialized", "ContainersReady", "Ready")
POLL_SECONDS = 0.3
STOP_SECONDS_MAX = 120.0


def running(pod: Manifest) -> Manifest:
    """Return the status of a pod that is ready."""
    conditions = [{"type": one, "status": "True"} for one in CONDITIONS]
    return {"phase": "Running", "conditions": conditions, "containerStatuses": _states(pod, {"running": {}})}


def not_pulled(pod: Manifest) -> Manifest:
    """Return the status of a pod whose image no registry has."""
    waiting = {"reason": "ImagePullBackOff", "message": f"no such image: {_container(pod)['image']}"}
    conditions = [{"type": "PodScheduled", "status": "True"}, {"type": "Ready", "status": "False"}]
    return {
        "phase": "Pending",
        "conditions": conditions,
        "containerStatuses": _states(pod, {"waiting": waiting}),
    }


def report(namespace: Namespace, pod: Manifest, status: Manifest) -> bool:
    """Write the status of a pod; return whether the pod still exists."""
    patch = json.dumps({"status": status})
    name = pod["metadata"]["name"]
    output = namespace.try_kubectl(
        "patch", "pod", name, "--subresource=status", "--type=merge", "--patch", patch
    )
    assert output.code == 0 or "not found" in output.err, output
    return output.code == 0


class StandIn:
    """Reports every pod: servers as ready, migrations as ended.

    Args:
        namespace: the namespace.

    """

    def __init__(self, namespace: Namespace) -> None:
        self.missing_images: set[str] = set()
        self.migration_exit_code = 0
        self._namespace = namespace
        self._reported: set[str] = set()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="stand-in")

    @contextmanager
    def reporting(self) -> Iterator[Self]:
        """Report pods while the context is open."""
        self._thread.start()
        try:
            yield self
        finally:
            self._stop.set()
            self._thread.join(STOP_SECONDS_MAX)

    def _run(self) -> None:
        while not self._stop.wait(POLL_SECONDS):
            for pod in self._namespace.all_of("pods"):
                if pod["spec"].get("schedulerName") == SCHEDULER:
                    self._report_once(pod)

    def _report_once(self, pod: Manifest) -> None:
        uid = pod["metadata"]["uid"]
        if uid in self._reported:
            return
        self._reported.add(uid)
        if "batch.kubernetes.io/job-name" in pod["metadata"]["labels"]:
            self._namespace.end_pod(pod, self.migration_exit_code)
        elif _container(pod)["image"] in self.missing_images:
            report(self._namespace, pod, not_pulled(pod))
        else:
            report(self._namespace, pod, running(pod))


def _container(pod: Manifest) -> Manifest:
    (container,) = pod["spec"]["containers"]
    return dict(container)


def _states(pod: Manifest, state: Manifest) -> list[Manifest]:
    container = _container(pod)
    is_running = "running" in state
    return [
        {
            "name": container["name"],
            "image": container["image"],
            "imageID": "",
            "ready": is_running,
            "started": is_running,
            "restartCount": 0,
            "state": state,
        }
    ]
