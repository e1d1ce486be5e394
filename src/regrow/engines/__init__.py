"""Engines perform what the coordinator decides: they own processes, files and clocks, and decide nothing."""
