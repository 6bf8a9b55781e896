"""The layouts of the manifests, rendered once per run."""

import functools
from collections.abc import Callable

import pytest

from database_servers.errors import CommandFailed, PackageUnavailable
from tests.unit.k8s.layout import COMPOSITIONS, LAYOUTS, Layout, render, renderer, write_kustomization


@pytest.fixture(scope="session")
def render_command() -> tuple[str, ...]:
    """Return the command that renders a kustomization."""
    try:
        return tuple(renderer())
    except (CommandFailed, PackageUnavailable) as error:
        pytest.fail(f"The manifests were NOT tested: neither kubectl nor kustomize is installed, and {error}")


@pytest.fixture(scope="session")
def with_components(
    render_command: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., Layout]:
    """Return a function that renders an overlay with components, as in a user's own overlay."""

    @functools.cache
    def rendered(*components: str, overlay: str = "trusted-network") -> Layout:
        folder = tmp_path_factory.mktemp("-".join(components))
        paths = [f"components/{one}" for one in components]
        return render(render_command, write_kustomization(folder, f"overlays/{overlay}", components=paths))

    return rendered


@pytest.fixture(scope="session", params=[*LAYOUTS, *COMPOSITIONS])
def layout(
    request: pytest.FixtureRequest,
    render_command: tuple[str, ...],
    with_components: Callable[..., Layout],
) -> Layout:
    """Return each layout, with and without components."""
    if request.param in LAYOUTS:
        return render(render_command, request.param)
    overlay, *components = request.param.split()
    return with_components(*components, overlay=overlay)


@pytest.fixture(scope="session")
def over_kubernetes_jobs(with_components: Callable[..., Layout]) -> Layout:
    """Return overlays/trusted-network with Kubernetes Jobs as the queue."""
    return with_components("kubernetes-jobs")


@pytest.fixture(scope="session")
def base(render_command: tuple[str, ...]) -> Layout:
    """Return the base that all layouts share."""
    return render(render_command, "base")


@pytest.fixture(scope="session")
def local(render_command: tuple[str, ...]) -> Layout:
    """Return the layout for one node and SQLite."""
    return render(render_command, "overlays/local")


@pytest.fixture(scope="session")
def trusted_network(render_command: tuple[str, ...]) -> Layout:
    """Return the layout for several nodes and MySQL, without TLS and tokens."""
    return render(render_command, "overlays/trusted-network")


@pytest.fixture(scope="session")
def secured(render_command: tuple[str, ...]) -> Layout:
    """Return the layout for several nodes and MySQL, with TLS and tokens."""
    return render(render_command, "overlays/secured")
