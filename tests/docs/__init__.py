"""The documentation: its links, its commands and what it says about the code."""
