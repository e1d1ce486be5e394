"""The coordinator decides, and does nothing else: events in, actions out, time as an argument.

In this room there is no clock, file, socket, thread, logger or random number, and it imports only `errors` and `program`.
An impossible event raises and changes nothing.
"""
