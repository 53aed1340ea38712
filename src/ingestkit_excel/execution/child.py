"""A warm child process that runs one job at a time and can be killed.

Text goes in and text comes out, so nothing but JSON crosses between a job and its parent. What a
job does to its process (a crash, a signal, no end in sight) reaches the caller as a coded `Reply`.
The deadline is counted on our own clock, because that of the pool follows the wall clock, which
may be set while a job runs.
"""

import contextlib
import ctypes
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable
from concurrent.futures import CancelledError
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from importlib import import_module
from threading import Event, Thread
from typing import Final, Protocol

from pebble import ProcessExpired, ProcessFuture, ProcessPool

from ingestkit_excel.clock import Clock, SystemClock
from ingestkit_excel.errors import ErrorCode

__all__ = ["ChildFunction", "Reply", "WarmChild"]

ChildFunction = Callable[[str], str]

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_TERM_WAIT_S: Final = 1.0  # nothing in a child needs time to end; one in native code ignores us
_KILL_WAIT_S: Final = 5.0  # SIGKILL acts at once, but on a process that waits for a dead mount


class _Number(Protocol):
    value: int


@dataclass(frozen=True, slots=True)
class Reply:
    """What became of one job: its ``text``, or a ``code`` and a ``message`` without text."""

    text: str | None = None
    code: ErrorCode | None = None
    message: str = ""


@dataclass(slots=True)
class _Running:
    payload: str
    timeout_s: float
    started: float
    future: "ProcessFuture[str]"
    second_try: bool = False


class WarmChild:
    """One child process, kept for the next job, replaced when it dies.

    Not safe for use by several threads. Close it, or use it as a context manager.

    Args:
        function: Called in the child with the payload; importable there by its name.
        on_done: Called from another thread when there may be something to `poll`.
        memory_bytes_max: Address space the child may use, where the system can limit it; what
            needs more gets a ``MemoryError`` instead of the memory of everybody else.
    """

    def __init__(
        self,
        function: ChildFunction,
        *,
        clock: Clock | None = None,
        on_done: Callable[[], None] | None = None,
        memory_bytes_max: int | None = None,
    ) -> None:
        self._memory_bytes_max = memory_bytes_max
        self._function = function
        self._clock = clock or SystemClock()
        self._on_done = on_done
        self._pool: ProcessPool | None = None
        self._running: _Running | None = None
        # A forked copy of a process with threads may hold locks no thread will release.
        self._context = multiprocessing.get_context("spawn")
        # The child writes its process group here, once it leads one.
        self._group: _Number = self._context.RawValue("q", 0)
        self.is_stuck = False
        """Whether a child could not be killed; it waits for a mount that does not answer."""

    def __enter__(self) -> "WarmChild":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def is_busy(self) -> bool:
        """Whether a job was started whose reply was not taken yet."""
        return self._running is not None

    def start(self, payload: str, *, timeout_s: float) -> None:
        """Begin a job; `poll` gives its reply."""
        assert self._running is None, "a child runs one job at a time"
        started = self._clock.monotonic()
        self._running = _Running(payload, timeout_s, started, self._schedule(payload))

    def poll(self) -> Reply | None:
        """Give the reply of the running job, or ``None`` while it runs within its time."""
        running = self._running
        assert running is not None, "there is no running job"
        if running.future.done():
            return self._take(running)
        if self._clock.monotonic() - running.started < running.timeout_s:
            return None
        self.kill()
        return Reply(
            code=ErrorCode.E_EXECUTION_TIMEOUT,
            message=(
                f"cannot finish the workbook: it took longer than {running.timeout_s:g} s; "
                "raise execution_job_timeout or split the workbook"
            ),
        )

    def call(self, payload: str, *, timeout_s: float) -> Reply:
        """Run one job and wait for its reply."""
        self.start(payload, timeout_s=timeout_s)
        while True:  # ends at the deadline at the latest
            assert self._running is not None
            done = _when_done(self._running.future)
            left = timeout_s - (self._clock.monotonic() - self._running.started)
            done.wait(max(0.0, left))
            reply = self.poll()
            if reply is not None:
                return reply

    def kill(self) -> None:
        """End the child, and all it started, and forget its job.

        They are dead when this returns, unless `is_stuck`.
        """
        if self._running is not None:
            self._running.future.cancel()  # type: ignore[no-untyped-call] # pebble's
            self._running = None
        self.close()

    def kill_at_once(self) -> None:
        """Kill the child and all it started, without waiting; callable from any thread."""
        _signal_group(self._group.value, "SIGKILL")

    def close(self) -> None:
        """End the child and all it started; a later `start` makes a new one."""
        pool, self._pool = self._pool, None
        self._running = None
        if pool is None:
            return
        pool.stop()  # type: ignore[no-untyped-call] # pebble's
        group = self._group.value
        _signal_group(group, "SIGTERM")
        # It waits without limit for a process that cannot be killed, hence the thread.
        joining = Thread(target=pool.join, name="child-end", daemon=True)
        joining.start()
        joining.join(_TERM_WAIT_S)
        # Also when the child has ended: what it started may ignore the first signal. A group
        # that has members keeps its number from others.
        _signal_group(group, "SIGKILL")
        joining.join(_KILL_WAIT_S)
        self._group.value = 0
        self.is_stuck = self.is_stuck or joining.is_alive()

    def _schedule(self, payload: str) -> "ProcessFuture[str]":
        try:
            future = self._open_pool().schedule(self._function, args=(payload,))
        except (BrokenProcessPool, RuntimeError):
            # The idle child was killed from outside; that is no fault of this job.
            self.close()
            future = self._open_pool().schedule(self._function, args=(payload,))
        if self._on_done is not None:
            on_done = self._on_done
            future.add_done_callback(lambda _: on_done())
        return future

    def _open_pool(self) -> ProcessPool:
        if self._pool is None:
            self._pool = ProcessPool(
                max_workers=1,
                context=self._context,
                initializer=_initialize_child,
                initargs=(os.getpid(), self._memory_bytes_max, self._group),
            )
        return self._pool

    def _take(self, running: _Running) -> Reply | None:
        try:
            text = running.future.result(timeout=0)
        except BrokenProcessPool:
            self.close()
            if running.second_try:
                return _crashed(
                    "its process could not be started (a program that starts workers must guard "
                    "its main module with: if __name__ == '__main__')"
                )
            # The child died before it had taken the job, so this job is not to blame.
            again = self._schedule(running.payload)
            self._running = _Running(
                running.payload, running.timeout_s, running.started, again, second_try=True
            )
            return None
        except ProcessExpired as error:
            self.close()
            return _crashed(_describe_exit(error.exitcode))
        except CancelledError:
            self.close()
            return Reply(code=ErrorCode.E_EXECUTION_CANCELLED, message="the job was stopped")
        except Exception as error:  # noqa: BLE001 - whatever the job raised ends this job only
            self._running = None
            return _crashed(f"it raised {type(error).__name__}")
        self._running = None
        return Reply(text=text)


def _when_done(future: "ProcessFuture[str]") -> Event:
    done = Event()
    future.add_done_callback(lambda _: done.set())
    return done


def _crashed(cause: str) -> Reply:
    return Reply(
        code=ErrorCode.E_EXECUTION_CRASHED,
        message=f"cannot finish the workbook: {cause}; other workbooks are not affected",
    )


def _describe_exit(exitcode: int) -> str:
    if exitcode >= 0:
        return f"its process ended with exit code {exitcode}"
    try:
        name = signal.Signals(-exitcode).name
    except ValueError:
        name = f"signal {-exitcode}"
    return f"its process was ended by {name}"


def _signal_group(group: int, name: str) -> None:
    if group and hasattr(os, "killpg"):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, getattr(signal, name))


def _initialize_child(parent_pid: int, memory_bytes_max: int | None, group: _Number) -> None:
    if hasattr(os, "setsid"):
        os.setsid()  # a Ctrl-C at the terminal is for the parent, which then decides about us
        _signal_group(group.value, "SIGKILL")  # what a crashed child left running
        group.value = os.getpid()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent_pid:
            os._exit(1)  # the parent died before the line above could notice
    if memory_bytes_max is not None and sys.platform != "win32":
        resource = import_module("resource")
        resource.setrlimit(resource.RLIMIT_AS, (memory_bytes_max, memory_bytes_max))
