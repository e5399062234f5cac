"""The command line. Commands import what they need when they run, so `digitmill --help` needs only Click."""

from producer.cli.main import main

__all__ = ["main"]
