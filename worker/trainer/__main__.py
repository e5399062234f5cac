"""`python -m worker.trainer`: run one trainer."""

import sys

from worker.import_path import use_own_packages


def main() -> int:
    """Run a trainer until it is told to stop. Return the exit code."""
    from worker.process import run_role
    from worker.roles import Role
    from worker.settings import Settings

    def work(settings: Settings) -> int:
        from worker.trainer.service import TrainerService

        return TrainerService(settings).run()

    return run_role(Role.TRAINER, work)


if __name__ == "__main__":
    use_own_packages()
    sys.exit(main())
