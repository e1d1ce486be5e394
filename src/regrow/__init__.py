"""regrow: train long-tail models on processes that may be taken away at any moment, and end with the same bytes."""

from regrow.program import Data, Message, Partition, Program, Results, Role, Roles
from regrow.strings import Strings, hash64, strings

__all__ = ["Data", "Message", "Partition", "Program", "Results", "Role", "Roles", "Strings", "hash64", "strings"]
