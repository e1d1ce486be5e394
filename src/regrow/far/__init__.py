"""Artifacts and data that lie on another machine: served by range, read as if they were here."""
