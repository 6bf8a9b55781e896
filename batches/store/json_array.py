"""One JSON array of a group's values: many short rows as one long one."""

from typing import Any

from sqlalchemy import Text
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql import functions
from sqlalchemy.sql.compiler import SQLCompiler


class json_array(functions.FunctionElement[Any]):  # noqa: N801  # reads as the SQL function it is
    """The values of a group as the text of a JSON array, in any order."""

    type = Text()
    inherit_cache = True


@compiles(json_array, "mysql", "mariadb")
def _mysql(element: json_array, compiler: SQLCompiler, **kw: Any) -> str:  # noqa: ANN401
    return f"JSON_ARRAYAGG({compiler.process(element.clauses, **kw)})"


@compiles(json_array, "sqlite")
def _sqlite(element: json_array, compiler: SQLCompiler, **kw: Any) -> str:  # noqa: ANN401
    return f"json_group_array({compiler.process(element.clauses, **kw)})"
