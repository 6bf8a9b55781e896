"""What a pass shows: the words of reasons, tables, JSON lines and a progress bar."""
