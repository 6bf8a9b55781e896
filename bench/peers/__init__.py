"""What a user would pick instead: each file is one server, with the contract's messages, read top to bottom.

All of them get the frame and the options of ours that matter (frame.py), the same event
loop, and drivers and pools as their own documentation advises.
"""
