"""Service discovery with our Prometheus configuration, run by promtool on a real API server."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.k8s.cluster import Namespace, eventually
from tests.k8s.stand_in import SCHEDULED_BY_TESTS
from tests.support.control_plane import ControlPlane
from tests.support.prometheus import promtool
from tests.unit.k8s.layout import ROOT, Manifest, write_kustomization

pytestmark = pytest.mark.xdist_group("kubernetes")

JOB = "batchprogress"
PODS = 1 + 2 + 1 + 1 + 1
"""One of progress and of the gateway (the default without replicas), two of job-status, the dashboard and the
migration."""


def test_prometheus_finds_the_servers(
    controllers: ControlPlane, namespace: Namespace, tmp_path: Path
) -> None:
    """It scrapes only the metrics ports, under the job names that the alerts expect."""
    (tmp_path / "mine").mkdir()
    overlay = write_kustomization(tmp_path / "mine", "overlays/trusted-network", patches=SCHEDULED_BY_TESTS)
    namespace.apply(overlay)
    pods = eventually(lambda: found if len(found := _lasting_pods(namespace)) >= PODS else None)
    for number, pod in enumerate(pods, start=1):
        _give_address(namespace, pod, f"10.1.0.{number}")
    config = tmp_path / "prometheus.yaml"
    config.write_text(yaml.safe_dump(_of_this_namespace(controllers, namespace)))
    labels = eventually(lambda: _targets(config))
    found = sorted((one["job"], one["__address__"].rpartition(":")[2]) for one in labels)
    assert set(found) == {
        ("batchprogress-gateway", "9466"),
        ("batchprogress-job-status", "9465"),
        ("batchprogress-progress", "9464"),
    }
    assert len({one["pod"] for one in labels}) == len(labels)


def _lasting_pods(namespace: Namespace) -> list[Manifest]:
    """Return all pods but those of passes, of which one may have been due."""
    return namespace.all_of("pods", "app.kubernetes.io/name!=reconciler")


def _of_this_namespace(controllers: ControlPlane, namespace: Namespace) -> Manifest:
    config: Manifest = yaml.safe_load((ROOT / "observability/prometheus-kubernetes.yaml").read_text())
    (discovery,) = config["scrape_configs"][0]["kubernetes_sd_configs"]
    discovery["namespaces"]["names"] = [namespace.name]
    discovery["kubeconfig_file"] = str(controllers.kubeconfig)
    return config


def _give_address(namespace: Namespace, pod: Manifest, address: str) -> None:
    """Report a running pod as the kubelet does."""
    status = {"phase": "Running", "podIP": address, "podIPs": [{"ip": address}]}
    namespace.kubectl(
        *("patch", "pod", pod["metadata"]["name"], "--subresource=status", "--type=merge"),
        *("--patch", json.dumps({"status": status})),
    )


def _targets(config: Path) -> list[dict[str, Any]]:
    """Return the labels of the discovered targets."""
    output = promtool("check", "service-discovery", "--timeout=10s", config, JOB)
    found = json.loads(output[output.index("[") :])
    return [one["labels"] for one in found if one.get("labels")]
