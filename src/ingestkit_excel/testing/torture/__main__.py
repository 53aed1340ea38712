"""``python -m ingestkit_excel.testing.torture``."""

import sys

from ingestkit_excel.testing.torture.cli import main

if __name__ == "__main__":
    sys.exit(main())
