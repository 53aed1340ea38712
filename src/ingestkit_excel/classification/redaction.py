"""Take what matches the configured patterns out of text that is about to be logged. Pure."""

import re
from collections.abc import Sequence
from typing import Final

from ingestkit_excel.errors import ConfigurationError, ErrorCode

__all__ = ["REDACTED", "redact"]

REDACTED: Final = "[redacted]"


def redact(text: str, patterns: Sequence[str]) -> str:
    """Replace every match of every regular expression by ``[redacted]``.

    Raises:
        ConfigurationError: A pattern is no regular expression. The text is not logged then.
    """
    for position, pattern in enumerate(patterns):
        try:
            text = re.sub(pattern, REDACTED, text)
        except re.error as error:
            raise ConfigurationError(
                ErrorCode.E_CONFIG_INVALID,
                f"cannot use redact_patterns[{position}]: {error}; correct the expression",
            ) from error
    return text
