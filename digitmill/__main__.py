"""The command `digitmill`, also as `python -m digitmill`."""

import gc
import sys

from digitmill.packages import check_packages, ignore_current_folder

_ALLOCATIONS = 50_000
"""Objects after which Python looks for garbage. Imports make none, and with 700 they would take a tenth longer."""


def main(prog_name: str | None = None) -> None:
    """Run the command line.

    Args:
        prog_name: Name that help texts use, or None for that of the script.
    """
    try:
        check_packages()
    except ImportError as fault:
        print(f"digitmill: {fault}", file=sys.stderr)  # noqa: T201  Click's packages may be hidden too
        sys.exit(2)
    gc.set_threshold(_ALLOCATIONS)
    from producer.cli import main as run

    try:
        run(prog_name=prog_name)
    finally:
        gc.freeze()  # Python looks for garbage once more when it ends, for which nobody should wait


if __name__ == "__main__":
    ignore_current_folder()
    main("python -m digitmill")
