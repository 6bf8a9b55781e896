"""The names that a user of the client imports, and what importing them loads."""

import ast
import inspect
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module

import batchprogress


def printed(code: str) -> list[str]:
    """Run code in a process of its own; return the words that it prints."""
    done = subprocess.run((sys.executable, "-c", code), capture_output=True, text=True, check=True)
    return done.stdout.split()


def loaded_by(statement: str) -> set[str]:
    """Return the modules of this package that a statement loads."""
    modules = printed(f"import sys\n{statement}\nprint(*sys.modules)")
    return {name for name in modules if name.startswith("batchprogress.")}


def imports_for_type_checkers() -> Iterator[tuple[str, str]]:
    """Yield the names that type checkers find in the package, each after its module."""
    tree = ast.parse(inspect.getsource(batchprogress))
    (block,) = (
        node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    )
    for node in block.body:
        if isinstance(node, ast.ImportFrom):
            yield from ((str(node.module), one.name) for one in node.names)


def test_python_finds_what_type_checkers_find() -> None:
    """Each name is that of its module; only `map`, which would hide Python's own, is not in `__all__`."""
    imports = list(imports_for_type_checkers())
    assert sorted(name for _, name in imports) == sorted([*batchprogress.__all__, "map"])
    for module, name in imports:
        assert getattr(batchprogress, name) is getattr(import_module(module), name)


def test_dir_lists_names_that_were_not_used_yet() -> None:
    """Shells complete names with it."""
    listed = printed("import batchprogress; print(*dir(batchprogress))")
    assert {*batchprogress.__all__, "map", "__version__"} <= set(listed)


def test_all_names_can_be_imported_at_once() -> None:
    names = printed("from batchprogress import *; print(*vars())")
    assert set(batchprogress.__all__) <= set(names)
    assert "map" not in names


def test_public_modules_are_attributes() -> None:
    """Programs catch `batchprogress.errors.BatchNotFound` after `import batchprogress` alone."""
    code = "import batchprogress; print(batchprogress.errors.__name__, batchprogress.models.__name__)"
    assert printed(code) == ["batchprogress.errors", "batchprogress.models"]


def test_the_bar_is_a_function_whatever_was_imported_before() -> None:
    """No module has its name, which Python would set in place of the function."""
    code = "import batchprogress.pool_map; from batchprogress import bar; print(bar.__name__, callable(bar))"
    assert printed(code) == ["bar", "True"]


def test_the_stubs_load_nothing_else_of_the_client() -> None:
    """The servers need only the stubs, and each start would otherwise load the whole client."""
    loaded = loaded_by("import batchprogress.v1.progress_pb2_grpc")
    others = {name for name in loaded if not name.startswith(("batchprogress.v1", "batchprogress._grpc"))}
    assert others == set()


def test_a_client_loads_neither_the_bar_nor_the_client_for_asyncio() -> None:
    loaded = loaded_by("from batchprogress import Client")
    assert "batchprogress.client" in loaded
    assert loaded.isdisjoint(
        {"batchprogress.async_client", "batchprogress.pool_map", "batchprogress.progress_bar"}
    )
