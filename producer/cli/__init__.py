"""The command line. Commands import what they need when they run, so `digitmill --help` needs Click alone."""

from producer.cli.main import main

__all__ = ["main"]
