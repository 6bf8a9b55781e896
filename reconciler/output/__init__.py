"""What a pass shows: tables, JSON lines and a progress bar."""
