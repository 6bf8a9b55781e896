"""Nothing lost, nothing counted twice: the promise, under faults, on real servers and real databases.

Every test runs workers against server processes while it breaks something, and lets one
checker (`ledger.py`, after Jepsen's set and counter checkers) say whether the promise held.
"""
