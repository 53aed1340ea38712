"""``python -m spool_worker``."""

import sys

from spool_worker.cli import main

if __name__ == "__main__":
    sys.exit(main())
