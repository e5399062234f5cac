"""`python -m worker`: run one worker."""

import gc
import os
import sys
import time

from worker.import_path import use_own_packages


def main() -> int:
    """Run a worker until it is told to stop. Return the exit code."""
    started = time.time()  # before the imports, because they take most of the start-up
    gc.disable()  # imports make no garbage; looking for it would take a tenth of their time
    sys.modules["yaml"] = None  # type: ignore[assignment]  # kombu would load it, for messages that nobody accepts
    from worker.process import run_role
    from worker.roles import Role
    from worker.settings import Settings

    def work(settings: Settings) -> int:
        from worker.classifying.service import WorkerService

        # The collector writes to each object that it looks at. Objects that are frozen at a fork stay in pages that the
        # processes share.
        os.register_at_fork(before=gc.freeze)
        gc.enable()
        return WorkerService(settings, started).run()

    return run_role(Role.WORKER, work)


if __name__ == "__main__":
    use_own_packages()
    sys.exit(main())
