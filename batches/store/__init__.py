"""Storage of batches: the only code that uses the database, on MySQL, MariaDB and SQLite."""
