"""Each layout of the manifests, rendered."""

import pytest

from tests.support.databases.errors import CommandFailed, PackageUnavailable
from tests.unit.k8s.layout import LAYOUTS, Layout, render, renderer, write_kustomization


@pytest.fixture(scope="session")
def render_command() -> tuple[str, ...]:
    """Return the command that renders a kustomization."""
    try:
        return tuple(renderer())
    except (CommandFailed, PackageUnavailable) as error:
        pytest.fail(f"The manifests were NOT tested: neither kubectl nor kustomize is here, and {error}")


@pytest.fixture(scope="session", params=LAYOUTS)
def layout(request: pytest.FixtureRequest, render_command: tuple[str, ...]) -> Layout:
    """Return each layout in turn."""
    return render(render_command, request.param)


@pytest.fixture(scope="session")
def over_kubernetes_jobs(render_command: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory) -> Layout:
    """Return production with Kubernetes Jobs as the queue."""
    folder = tmp_path_factory.mktemp("over-kubernetes-jobs")
    return render(
        render_command,
        write_kustomization(folder, "overlays/production", components=["components/kubernetes-jobs"]),
    )


@pytest.fixture(scope="session")
def base(render_command: tuple[str, ...]) -> Layout:
    """Return what every layout shares."""
    return render(render_command, "base")


@pytest.fixture(scope="session")
def local(render_command: tuple[str, ...]) -> Layout:
    """Return the layout for one node and SQLite."""
    return render(render_command, "overlays/local")


@pytest.fixture(scope="session")
def production(render_command: tuple[str, ...]) -> Layout:
    """Return the layout for several nodes and MySQL."""
    return render(render_command, "overlays/production")
