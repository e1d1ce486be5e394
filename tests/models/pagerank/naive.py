"""The slow twins: PageRank by the formula, with what leads nowhere given back in every round; components by search."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction

Edge = tuple[int, int, Fraction]


def step(rank: Mapping[int, Fraction], edges: Sequence[Edge], seeds: Mapping[int, Fraction], damping: Fraction) -> dict[int, Fraction]:
    """One step of x' = d P^T x + (d m + 1 - d) v, in fractions: nothing is rounded."""
    out: dict[int, Fraction] = {}
    for source, _, weight in edges:
        out[source] = out.get(source, Fraction(0)) + weight
    nowhere = sum((value for node, value in rank.items() if not out.get(node)), Fraction(0))
    new = {node: (damping * nowhere + 1 - damping) * seeds.get(node, Fraction(0)) for node in rank}
    for source, target, weight in edges:
        if out[source]:
            new[target] += damping * rank[source] * weight / out[source]
    return new


def exact(nodes: Sequence[int], edges: Sequence[Edge], seeds: Mapping[int, Fraction], damping: Fraction) -> dict[int, Fraction]:
    """The exact ranks, by Gaussian elimination."""
    place = {node: i for i, node in enumerate(nodes)}
    size = len(nodes)
    matrix = [[Fraction(int(i == j)) for j in range(size)] + [Fraction(0)] for i in range(size)]
    for node in nodes:
        image = step({other: Fraction(int(other == node)) for other in nodes}, edges, seeds, damping)
        restart = {other: (1 - damping) * seeds.get(other, Fraction(0)) for other in nodes}
        for other in nodes:
            matrix[place[other]][place[node]] -= image[other] - restart[other]
            matrix[place[other]][size] = restart[other]
    for i in range(size):
        pivot = next(k for k in range(i, size) if matrix[k][i])
        matrix[i], matrix[pivot] = matrix[pivot], matrix[i]
        matrix[i] = [value / matrix[i][i] for value in matrix[i]]
        for k in range(size):
            if k != i and matrix[k][i]:
                factor = matrix[k][i]
                matrix[k] = [a - factor * b for a, b in zip(matrix[k], matrix[i], strict=True)]
    return {node: matrix[place[node]][size] for node in nodes}


def components(nodes: Sequence[int], edges: Sequence[tuple[int, int]]) -> dict[int, int]:
    """The least node of each node's component."""
    beside: dict[int, set[int]] = {node: set() for node in nodes}
    for source, target in edges:
        beside[source].add(target)
        beside[target].add(source)
    least: dict[int, int] = {}
    for node in sorted(nodes):
        left = [node] if node not in least else []
        while left:
            other = left.pop()
            if other not in least:
                least[other] = node
                left.extend(beside[other])
    return least
