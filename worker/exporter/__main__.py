"""`python -m worker.exporter`: show the queue, Redis and the mill as a whole to Prometheus."""

import sys

from worker.import_path import use_own_packages


def main() -> int:
    """Run the exporter until it is told to stop. Return the exit code."""
    from worker.exporter.service import run
    from worker.process import run_process

    return run_process("exporter", run)


if __name__ == "__main__":
    use_own_packages()
    sys.exit(main())
