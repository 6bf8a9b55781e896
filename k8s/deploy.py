"""python -m k8s.deploy: apply an overlay, the migration first, and check that its version runs."""

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

from k8s import manifests
from k8s.conflicts import Conflict, conflicts_in
from k8s.kubectl import COMMAND_SECONDS_MAX, KubectlFailed, Manifest, kubectl, read
from k8s.manifests import NAME_LABEL, name_of, of_kind, title

HELP = """\
Apply an overlay to kubectl's current namespace: first the migration, then everything else. Wait for both,
and check that the servers run the images of the overlay. If they do not, exit with 1 and say why and what to
do. The command can be run again at any time.
"""
SECONDS_MAX = 600
"""For the migration, and for each rollout. A large table may take longer: run it again to go on waiting."""
POLL_SECONDS = 1.0
LOG_LINES = 20


class NotDeployed(Exception):
    """The overlay is not running; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What an apply of the overlay would make of the cluster."""

    overlay: str
    objects: list[Manifest]
    is_forced: bool

    def apply(self, *selection: str) -> None:
        """Apply the overlay, or the part of it with these labels."""
        force = ["--force-conflicts"] if self.is_forced else []
        kubectl("apply", "--server-side", *force, "-k", self.overlay, *selection)


def deploy(overlay: str, *, is_forced: bool, seconds_max: int) -> None:
    """Apply an overlay and wait until it runs.

    Args:
        overlay: the folder of the overlay.
        is_forced: whether to replace also fields that somebody has changed by hand.
        seconds_max: the longest wait for the migration and for each rollout, in seconds.

    Raises:
        NotDeployed: it does not run.
        KubectlFailed: kubectl or the API server refuses something.

    """
    plan = plan_of(overlay, is_forced=is_forced)
    namespaces = {one["metadata"].get("namespace", "") for one in plan.objects}
    print(f"Deploying {overlay} to the namespace {', '.join(sorted(namespaces))}")
    for text in manifests.deprecations(plan.objects):
        print(f"DEPRECATED: {text}", file=sys.stderr)
    require_secrets(plan.objects)
    for job in of_kind(plan.objects, "Job"):
        migrate(plan, job, seconds_max)
    plan.apply()
    for one in of_kind(plan.objects, "Deployment"):
        roll_out(one, seconds_max)
    verify(plan.objects)


def plan_of(overlay: str, *, is_forced: bool) -> Plan:
    """Let the API server check the whole overlay, before anything is changed.

    Fields that `kubectl rollout undo` has set are replaced, because this deployment ends the rollback.
    Any other change by hand is kept, and refuses the deployment.
    """
    force = ["--force-conflicts"] if is_forced else []
    command = ("apply", "--server-side", "--dry-run=server", *force, "-k", overlay)
    try:
        return Plan(overlay, read(*command), is_forced)
    except KubectlFailed as error:
        conflicts = conflicts_in(str(error))
        if is_forced or not conflicts:
            raise
        if strangers := [one for one in conflicts if not one.is_rollback]:
            raise NotDeployed(_text_of(strangers, overlay)) from None
    print("Replacing what `kubectl rollout undo` brought back")
    return plan_of(overlay, is_forced=True)


def require_secrets(objects: list[Manifest]) -> None:
    """Check that the Secrets exist: their pods would wait for them, and the rollout would only time out."""
    needed = manifests.needed_secrets(objects)
    found = read("get", "secret", *needed, "--ignore-not-found") if needed else []
    keys = {name_of(one): one.get("data", {}).keys() for one in found}
    missing = [
        f"{name} ({', '.join(sorted(wanted))})"
        for name, wanted in sorted(needed.items())
        if not wanted <= keys.get(name, set())
    ]
    if missing:
        raise NotDeployed(
            f"these Secrets, or keys of them, are missing: {'; '.join(missing)}. `make secrets` creates them"
        )


def migrate(plan: Plan, job: Manifest, seconds_max: int) -> None:
    """Run the migration, unless one with the same content has already run."""
    name = name_of(job)
    for earlier in read("get", "job", name, "--ignore-not-found"):
        if manifests.end_of(earlier) == "Failed":
            kubectl("delete", "job", name)
    plan.apply("--selector", f"{NAME_LABEL}={job['metadata']['labels'][NAME_LABEL]}")
    deadline = time.monotonic() + seconds_max
    pods = f"batch.kubernetes.io/job-name={name}"
    while (end := manifests.end_of(read("get", "job", name)[0])) != "Complete":
        if end:
            raise NotDeployed(
                f"the migration has failed; the servers are unchanged. {_obstacles(pods)}. {_log_of(name)}"
            )
        if time.monotonic() > deadline:
            raise NotDeployed(
                f"the migration has not ended within {seconds_max} s; the servers are unchanged."
                f" {_obstacles(pods)}. If it is still working, run the same command again to go on waiting"
            )
        time.sleep(POLL_SECONDS)
    print(f"{title(job)} has completed")


def roll_out(deployment: Manifest, seconds_max: int) -> None:
    """Wait until all pods of a Deployment are new and ready."""
    name = title(deployment)
    command = ("rollout", "status", name, f"--timeout={seconds_max}s")
    try:
        kubectl(*command, seconds_max=seconds_max + COMMAND_SECONDS_MAX)
    except KubectlFailed as error:
        why = _obstacles(manifests.selector_of(deployment))
        raise NotDeployed(
            f"{name} has not rolled out: {error}. {why}. Pods of the version before go on"
            " serving. To go back to it, check it out and deploy it"
        ) from None
    print(f"{name} has rolled out")


def verify(objects: list[Manifest]) -> None:
    """Check that the cluster and its pods have the images of the overlay."""
    for wanted in objects:
        if wanted["kind"] not in {"Deployment", "CronJob"}:
            continue
        (live,) = read("get", wanted["kind"], name_of(wanted))
        found = set(manifests.images(live))
        if wanted["kind"] == "Deployment":
            found |= _running(wanted)
        if found != manifests.images(wanted):
            raise NotDeployed(
                f"{title(wanted)} runs {', '.join(sorted(found))} instead of"
                f" {', '.join(sorted(manifests.images(wanted)))}: somebody else has changed it meanwhile"
            )
        print(f"{title(wanted)} runs {', '.join(sorted(found))}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Deploy an overlay; return the exit code."""
    parser = argparse.ArgumentParser("python -m k8s.deploy", description=HELP)
    parser.add_argument("overlay", help="the folder with the kustomization.yaml to apply")
    parser.add_argument(
        "--force-conflicts", action="store_true", help="replace also what somebody has changed by hand"
    )
    parser.add_argument(
        "--timeout",
        type=int,
        default=SECONDS_MAX,
        metavar="SECONDS",
        help=f"the longest wait for the migration and for each rollout (default: {SECONDS_MAX})",
    )
    given = parser.parse_args(arguments)
    try:
        deploy(given.overlay, is_forced=given.force_conflicts, seconds_max=given.timeout)
    except (NotDeployed, KubectlFailed) as error:
        print(f"NOT DEPLOYED: {error}.", file=sys.stderr)
        return 1
    print(f"DEPLOYED: {given.overlay}")
    return 0


def _running(deployment: Manifest) -> set[str]:
    """Return the images of a Deployment's pods, except those that are terminating."""
    pods = read("get", "pods", "--selector", manifests.selector_of(deployment))
    alive = (pod["spec"] for pod in pods if "deletionTimestamp" not in pod["metadata"])
    return {container["image"] for spec in alive for container in spec["containers"]}


def _text_of(conflicts: list[Conflict], overlay: str) -> str:
    fields = "; ".join(f"{one.manager} has set {', '.join(one.fields)}" for one in conflicts)
    return (
        f"somebody has changed fields by hand: {fields}. Move the changes into {overlay}, or replace them"
        " with the option --force-conflicts"
    )


def _log_of(job: str) -> str:
    try:
        return f"Its log ends:\n{kubectl('logs', f'job/{job}', f'--tail={LOG_LINES}')}"
    except KubectlFailed as error:
        return f"Its log cannot be read: {error}"


def _obstacles(selector: str) -> str:
    pods = read("get", "pods", "--selector", selector)
    warnings = read("get", "events", "--field-selector=type=Warning")
    return "; ".join(manifests.obstacles(pods, warnings)) or "No pod says why"


if __name__ == "__main__":
    sys.exit(main())
