"""BATCHPROGRESS_DISABLED: the switch in the environment that turns all reporting of a process off."""

import logging
import os

VARIABLE = "BATCHPROGRESS_DISABLED"

_VALUES = {
    **dict.fromkeys(("1", "true", "yes", "on"), True),
    **dict.fromkeys(("", "0", "false", "no", "off"), False),
}
_log = logging.getLogger("batchprogress")
_logged: set[str] = set()


def is_disabled() -> bool:
    """Return whether reporting is switched off; log it once in each process, so that nobody forgets it."""
    value = os.environ.get(VARIABLE, "")  # noqa: TID251  # workers have no settings module
    disabled = _VALUES.get(value.strip().lower())
    if disabled is None:
        _log_once(f"{VARIABLE}={value} is neither 1 nor 0: reporting stays on")
    elif disabled:
        _log_once(f"reporting is off, nothing is sent: {VARIABLE}={value}")
    return bool(disabled)


def _log_once(sentence: str) -> None:
    if sentence not in _logged:
        _logged.add(sentence)
        _log.warning("%s", sentence)
