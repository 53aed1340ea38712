"""``python -m ingestkit_excel`` is ``ingestkit-excel``."""

import sys

from ingestkit_excel.cli import main

__all__: list[str] = []

if __name__ == "__main__":
    sys.exit(main())
