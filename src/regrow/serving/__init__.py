"""Answers from trained models, and the first of several answers: hedging (pure), its drivers, replicas, the router."""
