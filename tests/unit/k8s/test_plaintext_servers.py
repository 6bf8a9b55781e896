"""The component `plaintext-servers`: servers without TLS and tokens beside those of overlays/secured."""

import copy
from collections.abc import Callable

import pytest

from tests.support.program_settings import variables_read_by
from tests.unit.k8s.layout import Layout, Manifest

SECURITY = ("_TLS_", "_TOKENS_", "_JWT_", "_WATCH_TOKEN_")
"""Parts of the settings for TLS and for callers."""


@pytest.fixture
def beside(with_components: Callable[..., Layout]) -> Layout:
    """Return overlays/secured with the component."""
    return with_components("plaintext-servers", overlay="secured")


def test_they_are_the_other_servers_without_their_certificates_and_tokens(
    beside: Layout, trusted_network: Layout
) -> None:
    plaintext, progress = (_spec(one, name) for one, name in (
        (beside, "progress-plaintext"), (trusted_network, "progress")
    ))  # fmt: skip
    (container,) = plaintext["template"]["spec"]["containers"]
    (other,) = progress["template"]["spec"]["containers"]
    del container["command"], progress["template"]["spec"]["topologySpreadConstraints"]
    container["envFrom"] = other["envFrom"]
    assert plaintext["template"]["spec"] == progress["template"]["spec"]


def test_they_unset_what_the_settings_say_about_tls_and_callers(beside: Layout) -> None:
    """Their container's entrypoint is that of the image, with `env` before it."""
    (container,) = _spec(beside, "progress-plaintext")["template"]["spec"]["containers"]
    first, *unset, python, module = container["command"]
    assert (first, python, module) == ("env", "python", "-m")
    read = {name for name in variables_read_by("progress") if any(part in name for part in SECURITY)}
    assert {one.removeprefix("--unset=") for one in unset} == read
    (settings,) = container["envFrom"]
    (other,) = _spec(beside, "progress")["template"]["spec"]["containers"]
    assert [settings] == other["envFrom"]


def test_service_and_policies_select_both_but_deployments_only_their_own(beside: Layout) -> None:
    labels = {
        name: _spec(beside, name)["template"]["metadata"]["labels"]
        for name in ("progress", "progress-plaintext")
    }
    service = beside.named("Service", "progress")["spec"]["selector"]
    assert all(service.items() <= one.items() for one in labels.values())
    own = _spec(beside, "progress-plaintext")["selector"]["matchLabels"]
    assert own.items() <= labels["progress-plaintext"].items()
    assert not own.items() <= labels["progress"].items()


def _spec(layout: Layout, name: str) -> Manifest:
    return copy.deepcopy(dict(layout.named("Deployment", name)["spec"]))
