"""How a database node is set up: what puts acknowledged results at risk, or hides them.

Pure, but for `read_node`. A fail-over may lead to a node that is set up differently.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from sqlalchemy import Executable, text

from batches.store.connections import AsyncConnection

MARIADB_WITHOUT_SUPER = (10, 11)
"""The first version in which SUPER no longer passes read_only."""


class NodeWarning(Enum):
    """The name of a warning, as the label of its metric."""

    REDO_LOG_NOT_FLUSHED = "redo_log_not_flushed"
    BINARY_LOG_NOT_FLUSHED = "binary_log_not_flushed"
    BINARY_LOG_OF_STATEMENTS = "binary_log_of_statements"
    SEMI_SYNC_FELL_BACK = "semi_sync_fell_back"
    READS_OUT_OF_SYNC = "reads_out_of_sync"
    PASSES_READ_ONLY = "passes_read_only"


SAFE_VALUES = {
    NodeWarning.REDO_LOG_NOT_FLUSHED: ("innodb_flush_log_at_trx_commit", "1"),
    NodeWarning.BINARY_LOG_NOT_FLUSHED: ("sync_binlog", "1"),
}
"""With these values MySQL writes a transaction to disk before it acknowledges the commit; with others,
acknowledged results may be lost in a crash."""
SEMI_SYNC = {
    "rpl_semi_sync_source_enabled": "rpl_semi_sync_source_status",
    "rpl_semi_sync_master_enabled": "rpl_semi_sync_master_status",
}
"""The status of each engine's setting."""
IN_SYNC_VALUES = {
    "wsrep_sync_wait": {"1", "3", "5", "7", "9", "11", "13", "15"},  # the lowest bit: before reads
    "group_replication_consistency": {"BEFORE", "BEFORE_AND_AFTER"},
}
VARIABLES = (
    "binlog_format",
    "group_replication_consistency",
    "group_replication_group_name",
    "hostname",
    "innodb_flush_log_at_trx_commit",
    "log_bin",
    "port",
    "rpl_semi_sync_master_enabled",
    "rpl_semi_sync_source_enabled",
    "sync_binlog",
    "version",
    "wsrep_on",
    "wsrep_sync_wait",
)
_SHOW_VARIABLES = text(f"SHOW VARIABLES WHERE Variable_name IN {VARIABLES}")
_SHOW_STATUS = text(f"SHOW GLOBAL STATUS WHERE Variable_name IN {tuple(SEMI_SYNC.values())}")
_ON_ALL_DATABASES = re.compile(r"GRANT (.+) ON \*\.\* TO ")


@dataclass(frozen=True, slots=True)
class Node:
    """What a connection can see of its node."""

    variables: Mapping[str, str]
    """As they are in a session of ours, by their names in lower case. An engine lacks those of the other."""
    status: Mapping[str, str]
    grants: Sequence[str]
    """What SHOW GRANTS says. It may hold a hash of the password: not for logs."""

    @property
    def name(self) -> str:
        """Its own name and port, which differ from those in the URL behind a proxy."""
        return f"{self.variables.get('hostname')}:{self.variables.get('port')}"

    def is_on(self, variable: str) -> bool:
        """Return whether the engine has a setting, and it is on."""
        return self.variables.get(variable) in {"ON", "1"}


async def read_node(connection: AsyncConnection) -> Node | None:
    """Read the node of a connection with three statements; None for SQLite."""
    if connection.dialect.name == "sqlite":
        return None
    grants = (await connection.scalars(text("SHOW GRANTS"))).all()
    return Node(await _shown(connection, _SHOW_VARIABLES), await _shown(connection, _SHOW_STATUS), grants)


async def _shown(connection: AsyncConnection, statement: Executable) -> dict[str, str]:
    return {name.lower(): value for name, value in await connection.execute(statement)}


def warnings_of(node: Node) -> dict[NodeWarning, str]:
    """Return the warnings about a node, each with its risk and remedy."""
    return {
        **dict(_not_flushed(node)),
        **dict(_replication(node)),
        **dict(_out_of_sync(node)),
        **dict(_rights(node)),
    }


def _not_flushed(node: Node) -> Iterator[tuple[NodeWarning, str]]:
    for warning, (name, safe) in SAFE_VALUES.items():
        if name == "sync_binlog" and not node.is_on("log_bin"):  # as in MariaDB's default configuration
            continue
        value = node.variables.get(name, safe)
        if value != safe:
            risk = "acknowledged results may be lost if the database crashes"
            yield (
                warning,
                f"{name} is {value}, not {safe}: {risk}. Set {name} = {safe} on the database server",
            )


def _replication(node: Node) -> Iterator[tuple[NodeWarning, str]]:
    if node.is_on("log_bin") and node.variables.get("binlog_format") == "STATEMENT":
        refusal = "binlog_format is STATEMENT, so the node refuses every write"
        yield NodeWarning.BINARY_LOG_OF_STATEMENTS, f"{refusal}. Set binlog_format = ROW on it"
    if any(node.is_on(setting) and node.status.get(status) == "OFF" for setting, status in SEMI_SYNC.items()):
        state = "semi-synchronous replication has fallen back to asynchronous"
        risk = "a fail-over may lose acknowledged results"
        remedy = "Check the replicas; it returns by itself once one of them follows"
        yield NodeWarning.SEMI_SYNC_FELL_BACK, f"{state}: {risk}. {remedy}"


def _out_of_sync(node: Node) -> Iterator[tuple[NodeWarning, str]]:
    in_group = bool(node.variables.get("group_replication_group_name"))
    clusters = {"wsrep_sync_wait": node.is_on("wsrep_on"), "group_replication_consistency": in_group}
    for name, is_used in clusters.items():
        value = node.variables.get(name)
        if is_used and value not in IN_SYNC_VALUES[name]:
            risk = "a batch that was created through another node may not be found, and its reports are lost"
            remedy = f"Set {name} on the node, or let sessions set it"
            yield NodeWarning.READS_OUT_OF_SYNC, f"{name} is {value} in sessions: {risk}. {remedy}"


def _rights(node: Node) -> Iterator[tuple[NodeWarning, str]]:
    passing = sorted(_passing(node.variables.get("version", "")) & set(_global_rights(node.grants)))
    if passing:
        state = f"this account may write to a read-only node ({passing[0]})"
        risk = "after a fail-over, results may go to a node that is no longer the primary"
        yield (
            NodeWarning.PASSES_READ_ONLY,
            f"{state}: {risk}. Use an account with rights on one database only",
        )


def _global_rights(grants: Sequence[str]) -> Iterator[str]:
    for grant in grants:
        if found := _ON_ALL_DATABASES.match(grant):
            yield from (one.strip() for one in found[1].split(","))


def _passing(version: str) -> set[str]:
    """Return the rights with which an account passes read_only."""
    if "mariadb" not in version.lower():
        return {"SUPER", "CONNECTION_ADMIN"}
    numbers = tuple(int(one) for one in version.split(".")[:2])
    return {"ALL PRIVILEGES", "READ_ONLY ADMIN"} | ({"SUPER"} if numbers < MARIADB_WITHOUT_SUPER else set())
