"""What gevent or eventlet has made of this process's threads.

Green threads share one thread: while one of them waits in gRPC, none runs. Where threads, sockets and sleeps
are patched, another process makes the calls, and the wait for its answers lets the others run.
"""

import sys

NEEDED = ("socket", "time")
"""What has to be patched if threads are."""
PATCH = "Patch everything before other imports: monkey.patch_all() of gevent, monkey_patch() of eventlet."


def library() -> str | None:
    """Return the library that has patched threads, if one has."""
    return next((name for name in ("gevent", "eventlet") if _has_patched(name, "threading")), None)


def complaint_about_patches() -> str | None:
    """Return what is wrong if a wait of ours would stop all green threads of this process."""
    patched_by = library()
    missing = [module for module in NEEDED if patched_by and not _has_patched(patched_by, module)]
    if not missing:
        return None
    return f"{patched_by} has patched threading but not {' and '.join(missing)}. {PATCH}"


def complaint_about_thread() -> str | None:
    """Return what is wrong if a call of this green thread would stop all the others."""
    running_by = next((name for name in ("gevent", "eventlet") if _runs(name)), None)
    if running_by is None or library():
        return None
    return f"a call in a green thread of {running_by} would stop all the others. {PATCH}"


def _has_patched(name: str, module: str) -> bool:
    if name == "gevent":
        gevent = sys.modules.get("gevent.monkey")
        return gevent is not None and bool(gevent.is_module_patched(module))
    eventlet = sys.modules.get("eventlet.patcher")
    return eventlet is not None and bool(eventlet.is_monkey_patched(module.removesuffix("ing")))


def _runs(name: str) -> bool:
    """Whether this code runs in a green thread of a library."""
    library = sys.modules.get(name)
    if library is None or not hasattr(library, "getcurrent"):  # it is being imported
        return False
    parent = library.getcurrent().parent
    if parent is None:
        return False
    if name == "gevent":
        return isinstance(parent, library.hub.Hub)
    return bool(parent is library.hubs.get_hub().greenlet)
