"""All processes of a run: starting, killing, pausing, and another in the place of each that ended.

Owns: their process ids. Promises: none of them outlives the crew, paused or not.
"""

import ctypes
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from typing import Final

from ingestkit_excel.clock import SystemClock
from ingestkit_excel.testing.history import Kind, Phase
from ingestkit_excel.testing.torture.doom import DIE, SLEEP
from ingestkit_excel.testing.torture.plan import CREW, Plan, Role
from ingestkit_excel.testing.torture.recording import HistoryWriter

__all__ = ["Crew", "Member"]

_CRASHES_MAX: Final = 20  # then it is no use to start yet another
_END_S: Final = 60.0  # a daemon finishes its job first
_DAEMON_ENDINGS: Final = range(3, 10)
"""Exit codes of a daemon that say what was wrong with the spool, and ask for another try."""


_LIBC: Final = ctypes.CDLL(None)  # loaded before the fork, after which little is safe
_PR_SET_PDEATHSIG: Final = 1  # linux/prctl.h


def _die_with_us() -> None:
    if sys.platform == "linux":
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


@dataclass(slots=True)
class Member:
    """One place in the crew, and the process that fills it now."""

    role: Role
    number: int
    process: "subprocess.Popen[bytes]"
    life: int = 0
    paused_until_s: float | None = None

    @property
    def name(self) -> str:
        """Name this life of it; its history and its log are called so."""
        return f"{self.role}-{self.number}.{self.life:03d}"


@dataclass(slots=True)
class Crew:
    """The processes of one run."""

    plan: Plan
    history: HistoryWriter
    members: list[Member] = field(default_factory=list)
    crashes: list[str] = field(default_factory=list)
    """Processes that ended though nobody ended them."""

    def start(self) -> None:
        """Start one process for each place."""
        for role, count in CREW.items():
            for number in range(count):
                process = self._spawn(role, number, f"{role}-{number}.000")
                self.members.append(Member(role, number, process))

    def _spawn(self, role: Role, number: int, name: str) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-m"]
        if role is Role.DAEMON:
            command += ["spool_worker", "--spool", str(self.plan.mount(number)), "--insecure"]
            command += ["--root", f"torture={self.plan.workbooks}"]
            command += ["--store", f"bundle://{self.plan.scratch}/store", "--grace", "10"]
        else:
            command += ["ingestkit_excel.testing.torture.process", self.plan.scratch, name]
        with open(self.plan.logs / f"{name}.log", "wb") as log:
            return subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=_die_with_us
            )

    def tend(self) -> None:
        """Wake whose pause is over, and replace whoever ended, but for submitters that are done."""
        now_s = SystemClock().monotonic()
        for member in list(self.members):
            if member.paused_until_s is not None and now_s >= member.paused_until_s:
                self.wake(member)
            code = member.process.poll()
            if code is None:
                continue
            self.history.write(Kind.END, Phase.OK, note=member.name)
            if code == 0 and member.role is Role.SUBMITTER:
                self.members.remove(member)
                continue
            self._note_ending(member, code)
            member.life, member.paused_until_s = member.life + 1, None
            member.process = self._spawn(member.role, member.number, member.name)

    def _note_ending(self, member: Member, code: int) -> None:
        if code == -signal.SIGKILL:
            return
        if -code in (DIE, SLEEP):  # told its doom before it could listen, it died of the telling
            self.history.write(Kind.FAULT, Phase.OK, note="kill", worker_id=member.name)
            return
        if member.role is Role.DAEMON and code in _DAEMON_ENDINGS:
            self.history.write(Kind.FAULT, Phase.OK, note=f"daemon left with code {code}")
            return
        self.crashes.append(f"{member.name} ended with code {code}")
        if len(self.crashes) > _CRASHES_MAX:
            raise RuntimeError(f"cannot keep a crew: {'; '.join(self.crashes)}")

    def is_up(self, member: Member) -> bool:
        """Whether a process has begun to do its part, as far as it can be seen."""
        history = self.plan.histories / f"{member.name}.jsonl"
        return member.role is Role.DAEMON or history.exists()

    def kill(self, member: Member) -> None:
        """End a process by SIGKILL."""
        member.process.send_signal(signal.SIGKILL)
        member.process.wait(_END_S)

    def doom(self, member: Member, number: signal.Signals) -> None:
        """Have a process die, or sleep, at one of its next file operations."""
        member.process.send_signal(number)

    def pause(self, member: Member, seconds: float) -> None:
        """Stop a process by SIGSTOP, for `tend` to wake it after that time."""
        member.process.send_signal(signal.SIGSTOP)
        member.paused_until_s = SystemClock().monotonic() + seconds

    def wake(self, member: Member) -> None:
        """Let a paused process go on."""
        member.process.send_signal(signal.SIGCONT)
        member.paused_until_s = None

    def wake_all(self) -> None:
        """Let every process go on."""
        for member in self.members:
            self.wake(member)

    def dismiss(self, *roles: Role) -> None:
        """Ask the processes of these roles to end, and see that they do."""
        leaving = [member for member in self.members if member.role in roles]
        for member in leaving:
            self.wake(member)
            member.process.terminate()
        for member in leaving:
            try:
                code = member.process.wait(_END_S)
            except subprocess.TimeoutExpired:
                self.crashes.append(f"{member.name} did not end")
                self.kill(member)
            else:
                if code not in (0, -signal.SIGTERM):  # it had not yet learned to leave otherwise
                    self._note_ending(member, code)
            self.history.write(Kind.END, Phase.OK, note=member.name)
            self.members.remove(member)

    def abandon(self) -> None:
        """Kill whatever is left."""
        for member in self.members:
            self.kill(member)
