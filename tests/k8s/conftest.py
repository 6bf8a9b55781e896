"""A control plane for all tests in this folder, and a namespace for each of them."""

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.k8s import needs
from tests.k8s.applied_layouts import LAYOUTS
from tests.k8s.cluster import Namespace, eventually
from tests.support.control_plane import ControlPlane, control_plane
from tests.support.notes import note
from tests.unit.k8s.layout import ROOT, kubectl, write_kustomization


@pytest.fixture(scope="session")
def started() -> Iterator[ControlPlane]:
    """Yield the control plane of the environment."""
    with control_plane() as running:
        yield running


@pytest.fixture
def control(started: ControlPlane, request: pytest.FixtureRequest) -> ControlPlane:
    """Return the control plane, and note for the summary of the run which one it is."""
    note(request.node, needs.USED, started.origin)
    return started


@pytest.fixture
def controllers(control: ControlPlane) -> ControlPlane:
    """Return the control plane, which has running controllers."""
    assert control.has_controllers
    return control


@pytest.fixture
def namespace(control: ControlPlane) -> Iterator[Namespace]:
    """Yield a new namespace with the labels of k8s/namespace.yaml; deletes it afterwards."""
    name = f"batchprogress-test-{secrets.token_hex(4)}"
    manifest = (ROOT / "k8s/namespace.yaml").read_text().replace("name: batchprogress", f"name: {name}")
    kubectl()  # install it first: if that fails, nothing needs to be cleaned up
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


@pytest.fixture(params=LAYOUTS)
def kustomization(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the folder of each layout."""
    overlay, *components = request.param.split()
    if not components:
        return str(ROOT / "k8s/overlays" / overlay)
    paths = [f"components/{one}" for one in components]
    return write_kustomization(tmp_path, f"overlays/{overlay}", components=paths)
