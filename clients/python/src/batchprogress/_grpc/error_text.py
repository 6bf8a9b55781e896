"""What an exception says, even one of the caller's own class."""


def type_of(error: BaseException) -> str:
    """Return the class of an exception, with its module unless that is Python's own."""
    kind = type(error)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def message_of(error: BaseException) -> str:
    """Return the message of an exception, even if its own __str__ raises."""
    try:
        return str(error)
    except Exception:  # noqa: BLE001  # __str__ is the caller's code; a job fails with its own exception
        return f"({type_of(error)} without a message)"
