"""Rows of clicks with a known truth: a user and an item, the items in categories, a few frequent and most of them rare."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator


def rows(number: int, seed: int = 1, items: int = 2_000, categories: int = 20) -> Iterator[tuple[int, str, str, str]]:
    """(click, user, item, category)."""
    chance = random.Random(seed)
    of_item = [chance.randrange(categories) for _ in range(items)]
    effect = [chance.gauss(0, 1) for _ in range(categories)]
    own = [effect[category] + chance.gauss(0, 0.3) for category in of_item]
    of_user = [chance.gauss(0, 0.7) for _ in range(50)]
    for _ in range(number):
        item, user = min(items - 1, int(items ** chance.random()) - 1), chance.randrange(50)
        p = 1 / (1 + math.exp(1 - own[item] - of_user[user]))
        yield int(chance.random() < p), f"u{user}", f"i{item}", f"c{of_item[item]}"


def csv_text(number: int, seed: int = 1) -> str:
    """As a table with a header."""
    return "click,user,item,category\n" + "".join(f"{y},{u},{i},{c}\n" for y, u, i, c in rows(number, seed))


def libsvm_text(number: int, seed: int = 1) -> str:
    """As libsvm lines; every tenth has a value that is not 1."""
    lines = []
    for n, (y, user, item, category) in enumerate(rows(number, seed)):
        x = "0.25" if n % 10 == 0 else "1"
        lines.append(f"{2 * y - 1} {1 + int(user[1:])}:1 {100 + int(item[1:])}:{x} {5000 + int(category[1:])}:1")
    return "\n".join(lines) + "\n"
