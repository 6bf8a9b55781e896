"""What a deployment needs to know of its objects. Nothing here does I/O."""

from collections.abc import Iterable, Iterator

from k8s.kubectl import Manifest

NAME_LABEL = "app.kubernetes.io/name"
DEPRECATED = "batchprogress.dev/deprecated"
"""The annotation of an object that comes from something which the next version removes."""


def of_kind(objects: Iterable[Manifest], kind: str) -> list[Manifest]:
    """Return the objects of a kind."""
    return [one for one in objects if one["kind"] == kind]


def name_of(one: Manifest) -> str:
    """Return the name of an object."""
    name: str = one["metadata"]["name"]
    return name


def title(one: Manifest) -> str:
    """Return an object's kind and name, as kubectl takes them."""
    return f"{one['kind'].lower()}/{name_of(one)}"


def deprecations(objects: Iterable[Manifest]) -> list[str]:
    """Return what the objects say about their own removal."""
    annotations = (one["metadata"].get("annotations", {}) for one in objects)
    return [one[DEPRECATED] for one in annotations if DEPRECATED in one]


def images(one: Manifest) -> set[str]:
    """Return the images of an object's containers, none if it has no pods."""
    pod = _pod_of(one)
    return {container["image"] for container in pod["containers"]} if pod else set()


def selector_of(deployment: Manifest) -> str:
    """Return the selector of a Deployment's pods, as kubectl takes it."""
    return ",".join(f"{key}={value}" for key, value in deployment["spec"]["selector"]["matchLabels"].items())


def needed_secrets(objects: Iterable[Manifest]) -> dict[str, set[str]]:
    """Return the Secrets that the pods mount, with their keys: without them a pod never starts."""
    needed: dict[str, set[str]] = {}
    for one in objects:
        for volume in (_pod_of(one) or {}).get("volumes", []):
            if secret := volume.get("secret"):
                keys = {item["key"] for item in secret.get("items", [])}
                needed.setdefault(secret["secretName"], set()).update(keys)
    return needed


def end_of(job: Manifest) -> str:
    """Return how a Job has ended: Complete or Failed; empty while it is running."""
    conditions = job.get("status", {}).get("conditions", [])
    ended = (one["type"] for one in conditions if one["status"] == "True")
    return next((one for one in ended if one in {"Complete", "Failed"}), "")


def obstacles(pods: Iterable[Manifest], warnings: Iterable[Manifest]) -> list[str]:
    """Return why pods are not running or not ready, one sentence for each of them.

    Args:
        pods: the pods.
        warnings: events, of which the last one about a pod says more than its status.

    """
    last = {one["involvedObject"].get("uid"): one.get("message", "").strip() for one in warnings}
    found = []
    for pod in pods:
        if why := next(_obstacles_of(pod), ""):
            event = last.get(pod["metadata"]["uid"])
            found.append(f"{name_of(pod)}: {why}" + (f" ({event})" if event else ""))
    return found


def _obstacles_of(pod: Manifest) -> Iterator[str]:
    """Yield what keeps a pod from being ready, the cause first."""
    status = pod.get("status", {})
    for container in status.get("containerStatuses", []):
        state = container.get("state", {})
        if waiting := state.get("waiting"):
            yield f"{waiting.get('reason', 'waiting')} {waiting.get('message', '')}".strip()
        elif ended := state.get("terminated"):
            yield f"ended with exit code {ended['exitCode']}"
    for condition in status.get("conditions", []):
        if condition["status"] == "False" and condition["type"] in {"PodScheduled", "Ready"}:
            reason = condition.get("message") or condition.get("reason") or condition["type"]
            yield f"{condition['type']} is false: {reason}"
    if not status.get("conditions"):
        yield "no node has taken it"


def _pod_of(one: Manifest) -> Manifest | None:
    spec = one.get("spec", {})
    template = spec.get("jobTemplate", {}).get("spec", spec).get("template")
    return template["spec"] if template else None
