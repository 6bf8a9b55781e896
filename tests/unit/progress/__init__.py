"""Rules of the progress server's parts, without a network or a database."""
