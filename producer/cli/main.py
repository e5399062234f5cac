"""The group of all commands, loaded one by one when asked for."""

import importlib
import signal
from types import FrameType

import click

COMMANDS = {
    "submit": "submitting",
    "classify": "submitting",
    "inspect": "inspecting",
    "resume": "submitting",
    "demo": "running",
    "up": "running",
    "jobs": "jobs",
    "show": "jobs",
    "wait": "jobs",
    "cancel": "jobs",
    "report": "jobs",
    "models": "models",
    "teach": "teaching",
    "train": "training",
    "status": "jobs",
}
"""Command → module of `producer.cli` that defines it."""

EXIT_CODES = """\b
Exit codes:
  0    all well
  1    finished; some images have an error row
  2    what was asked for cannot be done as asked
  3    Redis does not answer
  4    no worker answered in time
  5    the job was cancelled or failed
  70   a fault of digitmill's own
  130  interrupted by Ctrl-C
"""


class LazyGroup(click.Group):
    """A group whose commands are imported on first use: listing them all imports only what defines them."""

    def list_commands(self, _: click.Context) -> list[str]:
        """Return the commands in the order in which a newcomer meets them."""
        return list(COMMANDS)

    def get_command(self, _: click.Context, name: str) -> click.Command | None:
        """Import and return one command."""
        if name not in COMMANDS:
            return None
        command: click.Command = getattr(importlib.import_module(f"producer.cli.commands.{COMMANDS[name]}"), name)
        return command


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=EXIT_CODES,
)
@click.version_option(package_name="digitmill")
def main() -> None:
    """Classify handwritten digits in bulk: images go in, an accuracy report comes out.

    \b
    Start here:
      digitmill demo               MNIST's test set through a mill on this machine
      digitmill submit scans/      classify your own images
      digitmill up                 keep a mill running on this machine
    """
    # `kill` and a closed terminal end a command as Ctrl-C does: in order. What `nohup` switched off stays off.
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _interrupt)


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
