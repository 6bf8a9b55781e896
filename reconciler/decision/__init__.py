"""What to do with a stuck batch. Pure: no I/O, no clock, no words for people."""
