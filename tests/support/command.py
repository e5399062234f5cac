"""The command `digitmill`, as it is installed beside this Python."""

import sys
from pathlib import Path

DIGITMILL = Path(sys.executable).with_name("digitmill")
SECONDS = 60.0
"""Time after which a command hangs, also on a busy machine."""
