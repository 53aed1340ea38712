"""Signals ask the daemon to stop."""

import os
import signal

from spool_worker.shutdown import StopToken, stop_on_signals


def test_the_first_signal_asks_to_finish_the_second_to_stop_at_once() -> None:
    """Two signals are two wishes."""
    token = StopToken()
    with stop_on_signals(token):
        os.kill(os.getpid(), signal.SIGTERM)
        assert (token.is_stopping, token.is_immediate) == (True, False)
        os.kill(os.getpid(), signal.SIGINT)
        assert token.is_immediate


def test_the_signals_are_as_before_afterwards() -> None:
    """The context leaves no trace."""
    before = signal.getsignal(signal.SIGTERM)
    with stop_on_signals(StopToken()):
        assert signal.getsignal(signal.SIGTERM) is not before
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_wake_ends_the_wait_once() -> None:
    """A job that ended before the wait is not slept over."""
    token = StopToken()
    token.wake()
    token.wait(60.0)
    token.wait(0.0)
