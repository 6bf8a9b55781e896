"""A control plane for all tests here, and a namespace for each."""

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.k8s import needs
from tests.k8s.cluster import Namespace, eventually
from tests.support.control_plane import ControlPlane, control_plane
from tests.support.notes import note
from tests.unit.k8s.layout import ROOT, kubectl, write_kustomization


@pytest.fixture(scope="session")
def started() -> Iterator[ControlPlane]:
    """Run the control plane, or find the given one."""
    with control_plane() as running:
        yield running


@pytest.fixture
def control(started: ControlPlane, request: pytest.FixtureRequest) -> ControlPlane:
    """Return the control plane, and note for the end of the run what it is."""
    note(request.node, needs.USED, started.origin)
    return started


@pytest.fixture
def controllers(control: ControlPlane) -> ControlPlane:
    """Return a control plane whose controllers run."""
    assert control.has_controllers
    return control


@pytest.fixture
def namespace(control: ControlPlane) -> Iterator[Namespace]:
    """Return an empty namespace, labelled as k8s/namespace.yaml labels ours; it is deleted afterwards."""
    name = f"batchprogress-test-{secrets.token_hex(4)}"
    manifest = (ROOT / "k8s/namespace.yaml").read_text().replace("name: batchprogress", f"name: {name}")
    kubectl()  # brought before anything is left behind
    empty = Namespace(control.kubeconfig, name)
    empty.kubectl("apply", "--server-side", "-f", "-", stdin=manifest)
    try:
        if control.has_controllers:
            eventually(lambda: empty.all_of("serviceaccounts"))
        else:
            empty.kubectl("create", "serviceaccount", "default")
        yield empty
    finally:
        empty.try_kubectl("delete", "namespace", name, "--wait=false")


LAYOUTS = (
    *("overlays/local", "overlays/production", "components/kubernetes-jobs"),
    *("components/kubernetes-jobs-elsewhere", "components/rq components/secured components/traces"),
)


@pytest.fixture(params=LAYOUTS)
def kustomization(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the folder of each layout; those of components are production with them on top."""
    if request.param.startswith("overlays/"):
        return str(ROOT / "k8s" / request.param)
    return write_kustomization(tmp_path, "overlays/production", components=request.param.split())
