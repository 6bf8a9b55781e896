"""Each layout of the manifests, rendered."""

import pytest

from tests.unit.k8s.layout import LAYOUTS, Layout, render, renderer


@pytest.fixture(scope="session")
def render_command() -> tuple[str, ...]:
    """Return the command that renders a kustomization."""
    command = renderer()
    if command is None:
        pytest.skip("The manifests were NOT tested: neither kubectl nor kustomize is on the PATH.")
    return tuple(command)


@pytest.fixture(scope="session", params=LAYOUTS)
def layout(request: pytest.FixtureRequest, render_command: tuple[str, ...]) -> Layout:
    """Return each layout in turn."""
    return render(render_command, request.param)


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
