"""The collector of circles while a coordinator is at work: on, but seldom looking at everything."""

from __future__ import annotations

import gc

import pytest

from regrow.collector import calm


def test_it_is_calm_for_a_while_and_then_as_it_was() -> None:
    before = gc.get_threshold()
    with calm():
        assert all(now >= then for now, then in zip(gc.get_threshold(), before, strict=True))
        assert gc.get_threshold() != before
        assert gc.isenabled()
    assert gc.get_threshold() == before


@pytest.mark.parametrize("others", [True, False])
def test_what_others_have_set_stays(others: bool) -> None:
    before, mine = gc.get_threshold(), (700, 10, 10) if others else (0, 10, 10)
    gc.set_threshold(*mine)
    try:
        with calm(others=others):
            assert gc.get_threshold() == mine
    finally:
        gc.set_threshold(*before)
