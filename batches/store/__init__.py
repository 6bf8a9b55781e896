"""Where batches are kept: the one door to the database, for MySQL, MariaDB and SQLite alike."""
