"""Real programs under a random mix of everything that can go wrong; one seed is one history.

make torture [SEED=n] [HISTORIES=n]
"""
