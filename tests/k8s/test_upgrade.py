"""Upgrades and rollbacks as in the README: with `make deploy`, and by hand."""

import re
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.k8s.cluster import Namespace, eventually
from tests.k8s.commands import Shell, shell_in
from tests.k8s.stand_in import SCHEDULED_BY_TESTS, StandIn
from tests.unit.k8s.layout import ROOT, Manifest, write_kustomization

pytestmark = [pytest.mark.xdist_group("kubernetes"), pytest.mark.usefixtures("controllers")]

Overlay = Callable[..., str]
NEVER_READY_SECONDS = 5
"""The longest wait of a deployment that never succeeds."""


@pytest.fixture
def node(namespace: Namespace) -> Iterator[StandIn]:
    """Report the pods of the namespace."""
    for name in ("batchprogress-database", "batchprogress-queue"):
        namespace.put_secret(name, url="mysql+asyncmy://user:password@nowhere/batches")
    with StandIn(namespace).reporting() as node:
        yield node


@pytest.fixture
def shell(namespace: Namespace, tmp_path: Path) -> Shell:
    """Return a shell in the namespace."""
    return shell_in(namespace, tmp_path)


@pytest.fixture
def overlay(tmp_path: Path) -> Overlay:
    """Return a function that writes an overlay with a tag of the image and a setting."""

    def write(tag: str, *, stuck_after: int = 300) -> str:
        folder = tmp_path / f"{tag}-{stuck_after}"
        folder.mkdir()
        literals = [f"PROGRESS_STUCK_AFTER={stuck_after}", f"RECONCILER_STUCK_AFTER={stuck_after}"]
        settings = {"name": "batchprogress-settings", "behavior": "merge", "literals": literals}
        return write_kustomization(
            folder,
            "overlays/trusted-network",
            images=[{"name": "batchprogress", "newTag": tag}],
            configMapGenerator=[settings],
            patches=SCHEDULED_BY_TESTS,
        )

    return write


def test_deployment_ends_when_the_new_version_runs(
    node: StandIn, shell: Shell, overlay: Overlay, namespace: Namespace
) -> None:
    """The first installation and the upgrade are the same command."""
    for tag in ("one", "two"):
        done = shell.deploy(overlay(tag))
        assert (done.code, done.err) == (0, ""), done
        assert images_of(namespace) == {f"batchprogress:{tag}"}
    assert len(migrations_of(namespace)) == 2
    assert node.migration_exit_code == 0


@pytest.mark.usefixtures("node")
def test_changed_setting_is_applied_beside_the_migration_that_is_kept(
    shell: Shell, overlay: Overlay, namespace: Namespace
) -> None:
    """`kubectl diff -k` and `kubectl apply -k` work as well."""
    namespace.apply(overlay("one"))
    changed = overlay("one", stuck_after=600)
    assert "PROGRESS_STUCK_AFTER" in namespace.try_kubectl("diff", "--server-side", "-k", changed).out
    namespace.apply(changed)
    done = shell.deploy(changed)
    assert (done.code, done.err) == (0, ""), done
    assert len(migrations_of(namespace)) == 1


def test_upgrade_after_a_rollback_runs_the_new_version(
    node: StandIn, shell: Shell, overlay: Overlay, namespace: Namespace
) -> None:
    """By hand it stops at the fields that `kubectl rollout undo` has set."""
    for tag in ("one", "two"):
        namespace.apply(overlay(tag))
    namespace.kubectl("rollout", "undo", "deployment/progress")
    eventually(lambda: images_of(namespace, "progress") == {"batchprogress:one"})
    new = overlay("three")
    by_hand = namespace.try_kubectl("apply", "--server-side", "-k", new)
    assert by_hand.code != 0
    assert 'conflict with "kubectl"' in by_hand.err.replace("conflicts", "conflict")
    done = shell.deploy(new)
    assert (done.code, done.err) == (0, ""), done
    assert "rollout undo" in done.out
    assert images_of(namespace) == {"batchprogress:three"}
    assert node.missing_images == set()


@pytest.mark.usefixtures("node")
def test_change_by_hand_is_not_overwritten(shell: Shell, overlay: Overlay, namespace: Namespace) -> None:
    """Unless the deployment is asked to."""
    namespace.apply(overlay("one"))
    namespace.kubectl("set", "image", "deployment/progress", "progress=batchprogress:mine")
    new = overlay("two")
    done = shell.deploy(new)
    assert done.code != 0
    assert "NOT DEPLOYED: somebody has changed fields by hand" in done.err
    assert images_of(namespace, "job-status") == {"batchprogress:one"}, "nothing was changed"
    assert shell.deploy(new, "--force-conflicts").code == 0
    assert images_of(namespace) == {"batchprogress:two"}


def test_failed_migration_leaves_the_servers_unchanged(
    node: StandIn, shell: Shell, overlay: Overlay, namespace: Namespace
) -> None:
    """It runs again with the next deployment."""
    namespace.apply(overlay("one"))
    node.migration_exit_code = 78
    new = overlay("two")
    done = shell.deploy(new)
    assert done.code != 0
    assert "NOT DEPLOYED: the migration has failed" in done.err
    assert images_of(namespace) == {"batchprogress:one"}
    node.migration_exit_code = 0
    assert shell.deploy(new).code == 0


def test_servers_that_never_start_fail_the_deployment(node: StandIn, shell: Shell, overlay: Overlay) -> None:
    """The reason of the pods is told."""
    node.missing_images.add("batchprogress:one")
    done = shell.deploy(overlay("one"), f"--timeout={NEVER_READY_SECONDS}")
    assert done.code != 0
    assert "has not rolled out" in done.err
    assert "ImagePullBackOff no such image: batchprogress:one" in done.err


def test_missing_secret_is_told_before_anything_changes(
    shell: Shell, overlay: Overlay, namespace: Namespace
) -> None:
    done = shell.deploy(overlay("one"))
    assert done.code != 0
    assert (
        "NOT DEPLOYED: these Secrets, or keys of them, are missing: batchprogress-database (url)" in done.err
    )
    assert namespace.all_of("deployments") == []


def test_deprecated_overlay_is_told(shell: Shell) -> None:
    done = shell.deploy(str(ROOT / "k8s/overlays/production"))
    assert "DEPRECATED: overlays/production is now called overlays/trusted-network" in done.err


@pytest.mark.usefixtures("node")
def test_upgrade_by_hand_runs_the_migration_first(overlay: Overlay, namespace: Namespace) -> None:
    """The commands of the README, with the names of a test in place of theirs."""
    namespace.apply(overlay("one"))
    new = overlay("two")
    for command in _by_hand():
        before = images_of(namespace)
        arguments = [new if one == "MY-OVERLAY" else one for one in command]
        namespace.kubectl(*arguments)
        if "app.kubernetes.io/name=migrate" in command:
            assert images_of(namespace) == before, "the servers wait for the migration"
    assert images_of(namespace) == {"batchprogress:two"}


def migrations_of(namespace: Namespace) -> list[Manifest]:
    """Return the Jobs of migrations: the CronJob may have started one of a pass meanwhile."""
    return namespace.all_of("jobs", "app.kubernetes.io/name=migrate")


def images_of(namespace: Namespace, name: str = "") -> set[str]:
    """Return the images of our Deployments, or of one of them."""
    return {
        container["image"]
        for one in namespace.all_of("deployments")
        if not name or one["metadata"]["name"] == name
        for container in _pod_of(one)["containers"]
    }


def _pod_of(deployment: Manifest) -> Manifest:
    return dict(deployment["spec"]["template"]["spec"])


def _by_hand() -> list[list[str]]:
    """Return the arguments of each kubectl command in the README's block about an upgrade by hand."""
    readme = (ROOT / "k8s/README.md").read_text().partition("the same by hand:")[2]
    block = re.search(r"```sh\n(.*?)```", readme, re.DOTALL)
    assert block is not None
    return [shlex.split(line.removesuffix("&&"))[1:] for line in block[1].splitlines()]
