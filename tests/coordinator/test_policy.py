import pytest

from regrow.coordinator.policy import (
    Claim,
    Limits,
    Pace,
    backup_due,
    blame,
    failed_for_good,
    finish_or_hand_back,
    how_lost,
    more_partitions,
    pick_worker,
    what_was_raised,
)

LIMITS = Limits()


def pace(*seconds: float) -> Pace:
    found = Pace()
    for one in seconds:
        found.add(one)
    return found


def test_no_backup_before_the_pace_is_known() -> None:
    assert backup_due(100.0, pace(1, 1, 1, 1), 0, 10, LIMITS) == (False, "too few attempts to know the pace")


def test_a_backup_needs_more_than_the_tail_and_half_as_much_again_as_the_median() -> None:
    usual = pace(*[1.0] * 50)
    assert not backup_due(1.5, usual, 0, 10, LIMITS)[0]
    assert backup_due(1.6, usual, 0, 10, LIMITS) == (True, "runs for 1.60 s, the usual time is 1.00 s")
    tailed = pace(*[1.0] * 40, *[5.0] * 10)
    assert not backup_due(4.9, tailed, 0, 10, LIMITS)[0]
    assert backup_due(5.1, tailed, 0, 10, LIMITS)[0]


def test_short_tasks_are_never_worth_a_backup() -> None:
    assert not backup_due(0.4, pace(*[0.01] * 50), 0, 10, LIMITS)[0]


def test_backups_take_one_worker_or_five_in_a_hundred() -> None:
    usual = pace(*[1.0] * 50)
    assert not backup_due(9.0, usual, 1, 10, LIMITS)[0]
    assert backup_due(9.0, usual, 4, 100, LIMITS)[0]
    assert backup_due(9.0, usual, 5, 100, LIMITS) == (False, "5 backup attempts run already")


def test_the_pace_follows_the_recent_attempts() -> None:
    found = Pace(kept=5)
    for seconds in (9, 9, 9, 9, 9, 1, 1, 1, 1, 1):
        found.add(seconds)
    assert found.quantile(0.5) == found.quantile(0.95) == 1


def test_the_worker_that_waits_longest_takes_the_task() -> None:
    assert pick_worker({"b": 5.0, "a": 1.0}, (), 0) == ("b", "first to be idle")


def test_a_task_that_was_lost_twice_goes_to_the_longest_lived_worker() -> None:
    assert pick_worker({"b": 5.0, "a": 1.0}, (), 2) == ("a", "lost 2 times: the longest-lived worker")


def test_a_worker_that_failed_at_a_task_does_not_get_it_again() -> None:
    assert pick_worker({"b": 5.0, "a": 1.0}, {"b"}, 0)[0] == "a"
    assert pick_worker({"b": 5.0}, {"b"}, 3) == (None, "every idle worker has failed at this task")


def test_nobody_idle_is_no_decision_against_anybody() -> None:
    assert pick_worker({}, (), 0)[0] is None


def test_more_partitions_are_advised_where_tasks_take_half_a_workers_life() -> None:
    assert not more_partitions(9.0, [1.0] * 4, LIMITS)[0]
    assert not more_partitions(0.5, [1.0] * 5, LIMITS)[0]
    assert more_partitions(0.6, [1.0] * 5, LIMITS) == (True, "its tasks take 0.6 s and workers live 1.0 s: more partitions would lose less")


@pytest.mark.parametrize(
    ("end", "facts", "kind"),
    [
        ("SIGKILL", {}, "killed"),
        ("SIGKILL", {"ours": True}, "loss"),
        ("SIGKILL", {"memory": True}, "memory"),
        ("SIGKILL", {"memory": True, "ours": True}, "memory"),
        ("SIGTERM", {"memory": True}, "loss"),
        ("SIGSEGV", {}, "crash"),
        ("SIGSEGV", {"busy": False}, "loss"),
        ("SIGBUS", {}, "crash"),
        ("exit", {}, "crash"),
        ("SIGUSR1", {}, "loss"),
    ],
)
def test_causes_are_told_apart_by_the_table(end: str, facts: dict[str, bool], kind: str) -> None:
    found, why = how_lost(end, **{"ours": False, "busy": True, "memory": False} | facts)
    assert found == kind
    assert why


def test_notice_is_weighed_against_the_expected_rest() -> None:
    assert finish_or_hand_back(0.0, pace(), 1.0)[0], "nobody knows how long it takes"
    assert finish_or_hand_back(8.0, pace(*[10.0] * 5), 4.0)[0]
    assert not finish_or_hand_back(7.0, pace(*[10.0] * 5), 4.0)[0]
    assert finish_or_hand_back(30.0, pace(*[10.0] * 5), 1.0)[0], "it should have ended long ago"


def claim(digest: str, **environment: str) -> Claim:
    return Claim(f"worker {digest}", digest, environment)


def test_blame_follows_the_odd_one_and_its_environment() -> None:
    assert blame([claim("a"), claim("b"), claim("c")])[0] == "program"
    assert blame([claim("a"), claim("b")])[0] == "program"
    assert blame([claim("a", CPU="x"), claim("b", CPU="x"), claim("a", CPU="x")])[0] == "machine"
    assert blame([claim("a", CPU="x"), claim("b", CPU="y"), claim("a", CPU="x")])[0] == "environment"
    assert blame([claim("b", CPU="x"), claim("a", CPU="y"), claim("a", CPU="y")])[0] == "environment"
    hashed = {"hash seed": "1"}
    assert blame([claim("a"), claim("b", **hashed), claim("a")])[0] == "program"


def test_a_task_that_raises_is_tried_once_more() -> None:
    assert failed_for_good(["x"], LIMITS) == (False, "once more, in another process")
    assert failed_for_good(["x", "y"], LIMITS) == (True, "failed 2 times")


def test_of_an_exception_its_first_line_is_told_whatever_stands_around_it() -> None:
    frames = '  File "my.py", line 3, in work\n    scale(part)\n  File "my.py", line 9, in scale\n    return 1 / part\n           ~~^~~~~~'
    assert what_was_raised(f"{frames}\nZeroDivisionError: division by zero") == "ZeroDivisionError: division by zero"
    assert what_was_raised(f"{frames}\nValueError: first line\nsecond line\n  third") == "ValueError: first line"
    assert what_was_raised(f"{frames}\nKeyError: 'a'\nbecause of that:\n{frames}\nValueError: no a\nat all") == "ValueError: no a"
    assert (
        what_was_raised('  File "my.py", line 3, in work\n  [Previous line repeated 9 more times]\nRecursionError: deep')
        == "RecursionError: deep"
    )
    assert what_was_raised("killed by SIGSEGV") == "killed by SIGSEGV"
    assert what_was_raised("no layout\nof this name") == "no layout"
    assert what_was_raised("") == ""
