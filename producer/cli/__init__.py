"""The command line. Each command imports what it needs when it runs, so `digitmill --help` needs only Click."""

from producer.cli.main import main

__all__ = ["main"]
