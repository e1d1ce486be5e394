"""The models that come with regrow: one folder each, with everything about it."""
