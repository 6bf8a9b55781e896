"""Replication in the words of each engine."""

from collections.abc import Sequence
from dataclasses import dataclass

from database_servers.engines import Engine

NEVER_MILLISECONDS = 4_294_967_295
"""The longest time-out: without the replica, the source acknowledges nothing rather than alone."""


@dataclass(frozen=True, slots=True)
class ReplicationSql:
    """Options, statements and names of an engine."""

    options: Sequence[str]
    user: str
    """Whose writes read_only refuses."""
    accounts: Sequence[str]
    """Creates the accounts of an empty node, outside of its binary log."""
    reset: Sequence[str]
    """Lets the history of an empty node begin."""
    follow: Sequence[str]
    """With the port of the source."""
    everything: str
    """Asks for all transactions of a node."""
    received: str
    """The column of SHOW REPLICA STATUS with all that a replica has received."""
    wait: str
    """Waits until a replica has applied transactions."""
    source: str
    replica: str
    """The word for each role in the names of settings."""

    def semi_synchronous(self, enabled: str) -> tuple[Sequence[str], Sequence[str]]:
        """Return the settings of a replica and of a source; "ON" or "OFF"."""
        prefix = "SET GLOBAL rpl_semi_sync"
        of_replica = (
            f"{prefix}_{self.source}_enabled = OFF",
            f"{prefix}_{self.replica}_enabled = {enabled}",
        )
        of_source = (
            f"{prefix}_{self.source}_enabled = {enabled}",
            f"{prefix}_{self.source}_timeout = {NEVER_MILLISECONDS}",
        )
        return of_replica, of_source

    @property
    def clients(self) -> str:
        """Asks for the number of semi-synchronous replicas."""
        return f"SHOW GLOBAL STATUS LIKE 'Rpl_semi_sync_{self.source}_clients'"


REPLICATION_USER = (
    "CREATE USER replication@'127.0.0.1' IDENTIFIED BY 'replication'",
    "GRANT REPLICATION SLAVE ON *.* TO replication@'127.0.0.1'",
)
# As deploy/README.md says: a node that comes back is a reader.
SQL: dict[Engine, ReplicationSql] = {
    "mysql": ReplicationSql(
        options=(
            "--gtid-mode=ON",
            "--enforce-gtid-consistency=ON",
            "--log-bin=binlog",
            "--plugin-load-add=semisync_source.so;semisync_replica.so",
            "--super-read-only=ON",
        ),
        user="root",
        accounts=REPLICATION_USER,
        reset=("RESET BINARY LOGS AND GTIDS",),
        follow=(
            (
                "CHANGE REPLICATION SOURCE TO SOURCE_HOST = '127.0.0.1', SOURCE_PORT = {port},"
                " SOURCE_USER = 'replication', SOURCE_PASSWORD = 'replication', SOURCE_AUTO_POSITION = 1,"
                " GET_SOURCE_PUBLIC_KEY = 1"
            ),
        ),
        everything="SELECT @@global.gtid_executed",
        received="Retrieved_Gtid_Set",
        wait="SELECT WAIT_FOR_EXECUTED_GTID_SET(:all)",
        source="source",
        replica="replica",
    ),
    "mariadb": ReplicationSql(
        options=(
            "--gtid-strict-mode=ON",
            "--log-bin=binlog",
            "--log-slave-updates=ON",
            "--binlog-format=ROW",
            "--sync-binlog=1",
            "--rpl-semi-sync-master-wait-point=AFTER_SYNC",
            "--read-only=ON",
        ),
        user="application",
        accounts=(
            *REPLICATION_USER,
            "CREATE USER application@'127.0.0.1'",
            r"GRANT ALL ON `batchprogress\_%%`.* TO application@'127.0.0.1'",  # %% as drivers want it
        ),
        reset=("RESET MASTER", "SET GLOBAL gtid_slave_pos = ''"),
        follow=(
            "SET GLOBAL gtid_slave_pos = @@global.gtid_current_pos",  # it may have been the source
            (
                "CHANGE MASTER TO MASTER_HOST = '127.0.0.1', MASTER_PORT = {port},"
                " MASTER_USER = 'replication', MASTER_PASSWORD = 'replication', MASTER_USE_GTID = slave_pos"
            ),
        ),
        everything="SELECT @@global.gtid_binlog_pos",
        received="Gtid_IO_Pos",
        wait="SELECT MASTER_GTID_WAIT(:all)",
        source="master",
        replica="slave",
    ),
}
