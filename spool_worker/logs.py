"""Log lines of the daemon: one event and its fields, as text or as JSON."""

import json
import logging
import sys
from typing import Literal

__all__ = ["LogFormat", "configure_logging"]

LogFormat = Literal["text", "json"]

# What every record has; anything else was given as a field of the event.
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class _EventFormatter(logging.Formatter):
    def __init__(self, log_format: LogFormat) -> None:
        super().__init__()
        self._log_format = log_format

    def format(self, record: logging.LogRecord) -> str:
        fields = {key: value for key, value in vars(record).items() if key not in _STANDARD}
        head = {
            "time": self.formatTime(record, "%Y-%m-%dT%H:%M:%S"),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
        }
        if record.exc_info:
            fields["traceback"] = self.formatException(record.exc_info)
        if self._log_format == "json":
            return json.dumps({**head, **fields}, default=str)
        return " ".join([*head.values(), *(f"{key}={value}" for key, value in fields.items())])


def configure_logging(log_format: LogFormat) -> None:
    """Send events to standard error."""
    output = logging.StreamHandler(sys.stderr)
    output.setFormatter(_EventFormatter(log_format))
    logging.basicConfig(level=logging.INFO, handlers=[output], force=True)
