"""What a world raises when the coordinator does what it must not."""

__all__ = ["Broken"]


class Broken(AssertionError):
    """The coordinator has broken a promise."""
