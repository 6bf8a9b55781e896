"""How reports are buffered, spooled and sent. Private: may change in any version."""
