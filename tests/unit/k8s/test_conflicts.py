"""Who else has set the fields of an apply, read from the messages of the API server."""

import pytest

from k8s.conflicts import Conflict, conflicts_in

ADVICE = """\
Please review the fields above--they currently have other managers. Here
are the ways you can resolve this warning:
* If you intend to manage all of these fields, please re-run the apply
  command with the `--force-conflicts` flag.
See https://kubernetes.io/docs/reference/using-api/server-side-apply/#conflicts
"""
IMAGE = '.spec.template.spec.containers[name="progress"].image'
SETTINGS = '.spec.template.spec.containers[name="progress"].envFrom'


def test_message_with_one_field_is_read() -> None:
    message = f'error: Apply failed with 1 conflict: conflict with "kubectl" using apps/v1: {IMAGE}\n{ADVICE}'
    assert conflicts_in(message) == [Conflict("kubectl", "", (IMAGE,))]
    assert conflicts_in(message)[0].is_rollback


def test_message_with_several_managers_is_read() -> None:
    message = (
        'error: Apply failed with 3 conflicts: conflicts with "kubectl" using apps/v1:\n'
        f"- {SETTINGS}\n- {IMAGE}\n"
        'conflict with "kubectl" with subresource "scale" using apps/v1:\n- .spec.replicas\n'
        f"{ADVICE}"
    )
    rollback, scaled = conflicts_in(message)
    assert rollback == Conflict("kubectl", "", (SETTINGS, IMAGE))
    assert scaled == Conflict("kubectl", "scale", (".spec.replicas",))


@pytest.mark.parametrize(
    "conflict",
    [
        Conflict("kubectl-edit", "", (IMAGE,)),
        Conflict("kubectl", "scale", (".spec.replicas",)),
        Conflict("kubectl", "", (IMAGE, ".spec.replicas")),
    ],
)
def test_only_changes_of_pods_by_kubectl_are_a_rollback(conflict: Conflict) -> None:
    assert not conflict.is_rollback
    assert Conflict("kubectl", "", (SETTINGS, IMAGE)).is_rollback


@pytest.mark.parametrize("message", ["", 'error: namespaces "batchprogress" not found'])
def test_other_failures_have_no_conflict(message: str) -> None:
    assert conflicts_in(message) == []
