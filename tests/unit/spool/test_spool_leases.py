"""Who is taken for dead, and who never is."""

from ingestkit_excel.spool.fs import Stamp
from ingestkit_excel.spool.lease import LeaseObserver

LEASE_S = 60.0


def stamp(beat: int) -> Stamp:
    """Give a heartbeat's stamp."""
    return Stamp(beat, beat, 1, 0)


def look(observer: LeaseObserver, at_s: float, beat: int, took_s: float = 0.1) -> bool:
    """Look at one worker; whether it is found dead."""
    dead = observer.look({"w": stamp(beat)}, started_s=at_s, finished_s=at_s + took_s)
    return "w" in dead


def test_still_heartbeat_is_dead_after_a_lease() -> None:
    """Not before the lease has passed, and then at once."""
    observer = LeaseObserver(LEASE_S)
    assert [look(observer, at_s, 1) for at_s in (0, 15, 30, 45, 59)] == [False] * 5
    assert look(observer, 60.1, 1)


def test_beating_worker_lives() -> None:
    """Each change starts the watch anew."""
    observer = LeaseObserver(LEASE_S)
    assert not any(look(observer, at_s * 10.0, at_s // 5) for at_s in range(50))


def test_few_looks_condemn_nobody() -> None:
    """Time alone is not enough: the observer must have looked again and again."""
    observer = LeaseObserver(LEASE_S)
    assert not look(observer, 0, 1)
    assert not look(observer, 59, 1)
    assert not look(observer, 118, 1)


def test_stalled_observer_starts_anew() -> None:
    """After a look that hung, or a long gap, nobody is condemned for the time it took."""
    for at_s, took_s in ((50.0, 16.0), (120.0, 0.1)):
        observer = LeaseObserver(LEASE_S)
        for early_s in (0, 10, 20, 30, 40):
            look(observer, early_s, 1)
        assert not look(observer, at_s, 1, took_s)
        assert not look(observer, at_s + took_s + 20, 1)


def test_worker_without_heartbeat_is_watched_as_long() -> None:
    """A missing lease file is no proof either."""
    observer = LeaseObserver(LEASE_S)
    dead = [
        "w" in observer.look({"w": None}, started_s=at_s, finished_s=at_s)
        for at_s in (0, 15, 30, 45, 60)
    ]
    assert dead == [False, False, False, False, True]


def test_observer_whose_loop_came_round_late_starts_anew() -> None:
    """It hung between two looks, for instance on the server that stalled everybody else.

    Broken on purpose: allowing gaps up to a whole lease makes this fail.
    """
    observer = LeaseObserver(LEASE_S)
    assert not any(look(observer, at_s, 1) for at_s in (0, 5, 59, 64, 69, 74))


def test_rounds_in_which_another_janitor_looked_are_no_gap() -> None:
    """The observer is well, though it looks seldom."""
    observer = LeaseObserver(15.0)
    for at_s in range(0, 60, 5):
        if at_s % 15:
            observer.note_round(at_s)
        else:
            assert not look(observer, at_s, 1)
    assert look(observer, 60.0, 1)


def test_error_starts_all_watching_anew() -> None:
    """What stops our own calls stops the heartbeats of others."""
    observer = LeaseObserver(LEASE_S)
    assert not any(look(observer, at_s, 1) for at_s in range(0, 60, 5))
    observer.forget_all()
    assert not any(look(observer, at_s, 1) for at_s in range(60, 120, 5))
    assert look(observer, 120.1, 1)
