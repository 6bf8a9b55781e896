"""Storage of batches: the only way to the database, for MySQL, MariaDB and SQLite alike."""
