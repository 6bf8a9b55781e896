"""Rules of the parts of the progress server, without a network or a database."""
