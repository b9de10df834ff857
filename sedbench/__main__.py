"""``python -m sedbench``: the same as the command ``sedbench``."""

from __future__ import annotations

import sys

from sedbench.cli import main

if __name__ == "__main__":
    sys.exit(main())
