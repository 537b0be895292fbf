"""The demo's server: `prodaccess serve` on a clock that can jump. `python -m prodaccess.demo.serving CLOCK_FILE`"""

from __future__ import annotations

import sys
from pathlib import Path

from prodaccess.demo.clock import JumpingClock
from prodaccess.serve import main

if __name__ == "__main__":
    sys.exit(main(JumpingClock(Path(sys.argv[1]))))
