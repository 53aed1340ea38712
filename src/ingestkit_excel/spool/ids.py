"""Ids that are never given twice: jobs in order of submission, nonces, workers."""

import hashlib
import secrets
import threading
from typing import Final

__all__ = ["PROCESS_JOB_IDS", "JobIds", "host_digest", "new_nonce", "new_worker_id"]

_COUNTER_BITS: Final = 12  # rand_a of a UUIDv7 (RFC 9562, 6.2 method 1)
_RANDOM_BITS: Final = 62


class JobIds:
    """Gives ids that strictly increase, also when the clock stands still or steps back."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last = 0

    def next_id(self, wall_s: float) -> str:
        """Give ``j`` and a UUIDv7 in hex."""
        with self._lock:
            now = int(wall_s * 1000) << _COUNTER_BITS
            self._last = max(now, self._last + 1)
            milliseconds, counter = divmod(self._last, 1 << _COUNTER_BITS)
        tail = (0b10 << _RANDOM_BITS) | secrets.randbits(_RANDOM_BITS)
        return f"j{milliseconds:012x}7{counter:03x}{tail:016x}"


PROCESS_JOB_IDS: Final = JobIds()  # one order for all spools that a process submits to


def new_nonce() -> str:
    """Give 16 hex digits that nobody else has."""
    return secrets.token_hex(8)


def host_digest(host: str, boot: str) -> str:
    """Tell one boot of one host from others, in 8 hex digits."""
    return hashlib.sha256(f"{host}|{boot}".encode()).hexdigest()[:8]


def new_worker_id(host_hash: str) -> str:
    """Name one incarnation of a worker."""
    return f"w{new_nonce()}-{host_hash}"
