"""No result is lost or counted twice, whatever fails: tests with real servers and databases.

Every test runs workers against server processes while it breaks something. One checker (`ledger.py`, modelled
on Jepsen's set and counter checkers) then verifies the promise.
"""
