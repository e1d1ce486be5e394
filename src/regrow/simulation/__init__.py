"""A small world in virtual time, in which the shipping coordinator runs unchanged and everything goes wrong that can.

One seed is one history: `python -m regrow.simulation SEED` repeats it.
"""
