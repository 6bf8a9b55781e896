"""The alternatives: each file is one server that speaks the contract.

All get the options of our server that matter for speed (peer_server.py), the same event loop, and the
drivers and pools that their own documentation advises.
"""
