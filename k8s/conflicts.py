"""Reads who else has set the fields that an apply would change, from the message of the API server."""

import re
from dataclasses import dataclass

MANAGER = re.compile(
    r'conflicts? with "(?P<name>[^"]+)"(?: with subresource "(?P<subresource>[^"]+)")?[^:]*:'
)
FIELD = re.compile(r"(?:^- |: )(?P<field>\.\S+)$", re.MULTILINE)
ROLLBACK_MANAGER = "kubectl"
"""`kubectl rollout undo` has no name of its own. Commands such as `kubectl edit` have: kubectl-edit."""
ROLLED_BACK = ".spec.template."
"""The fields that a rollback sets."""


@dataclass(frozen=True, slots=True)
class Conflict:
    """Fields that somebody else has set to another value."""

    manager: str
    subresource: str
    fields: tuple[str, ...]

    @property
    def is_rollback(self) -> bool:
        """Whether `kubectl rollout undo` has set the fields: the next deployment replaces them."""
        is_rollback = self.manager == ROLLBACK_MANAGER and not self.subresource
        return is_rollback and all(field.startswith(ROLLED_BACK) for field in self.fields)


def conflicts_in(message: str) -> list[Conflict]:
    """Return the conflicts that a failed apply tells, none if it failed for another reason."""
    managers = list(MANAGER.finditer(message))
    starts = [manager.start() for manager in managers]
    return [
        Conflict(
            manager["name"],
            manager["subresource"] or "",
            tuple(found["field"] for found in FIELD.finditer(message, manager.end() - 1, end)),
        )
        for manager, end in zip(managers, [*starts[1:], len(message)], strict=False)
    ]
