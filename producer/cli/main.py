"""The group of all commands. Each command is imported on first use."""

import gc
import importlib
import shutil
import signal
import sys
from types import FrameType
from typing import Any

import click

from producer.cli.exits import end_at_once
from producer.cli.notices import MANNERS, Manner, print_error, printable, show_any_character, show_warnings, wrapped

COMMANDS = {
    "submit": ("submitting", "Classify a folder, an archive or a file, and write a report."),
    "classify": ("classifying", "Print the digit and the confidence of each image."),
    "watch": ("watching", "Classify the files of a folder as they arrive, until Ctrl-C."),
    "inspect": ("inspecting", "Draw each stage from an image to the network's input."),
    "resume": ("submitting", "Continue a job that was interrupted or partly lost."),
    "resubmit": ("machine.resubmitting", "Send the quarantined images of a job again, from their source."),
    "demo": ("running", "Classify MNIST's test set with a mill on this machine."),
    "up": ("running", "Run the whole mill on this machine until Ctrl-C."),
    "serve": ("serving", "Serve HTTP: programs send images and get predictions."),
    "jobs": ("jobs", "List the latest jobs, newest first."),
    "show": ("jobs", "Show the state of one job."),
    "wait": ("jobs", "Wait until a job has ended."),
    "cancel": ("jobs", "Cancel a job."),
    "report": ("jobs", "Gather a job's answers and write its report."),
    "compare": ("comparing", "Compare two jobs on the same images: two models, or two days."),
    "review": ("reviewing", "Open the page with a job's mistakes and its images for review."),
    "models": ("models", "List, compare and change the versions of the model."),
    "teach": ("teaching", "Add labelled images to the next training."),
    "train": ("training", "Request a training."),
    "status": ("machine.status", "Show what is wrong, and how the mill stands."),
    "queue": ("machine.operating", "Pause, drain and resume the queue."),
    "backup": ("machine.operating", "Write everything that a mill keeps into one file."),
    "restore": ("machine.operating", "Restore a backup into an empty mill."),
    "logs": ("machine.logs", "Show the logs of the mill on this machine."),
    "clean": ("machine.cleaning", "Show how much space old jobs and logs take up, and free it."),
    "redis-users": ("machine.redis_users", "Print a Redis user for each role."),
    "schemas": ("schemas", "Print the JSON Schema of what a command prints with `--json`."),
}
"""Of each command, the module of `producer.cli.commands` that defines it, and the sentence that `--help` lists."""

EXIT_CODES = """\b
Exit codes:
  0    success
  1    finished; some images have an error row
  2    the command cannot be carried out as given
  3    Redis does not answer, or cannot be used
  4    no worker answered in time
  5    the job or training failed or was cancelled
  6    `status --check` has found an urgent problem
  70   a bug in digitmill
  130  interrupted by Ctrl-C
"""

_ENDLESS = frozenset({"watch", "up", "serve"})
_ALLOCATIONS = 10_000  # after which endless commands look for garbage; others end before it matters

_CLICK_SAYS = "Error: "  # before the message of an error about arguments

_AGAIN_SECONDS = 0.02
"""Time after which an interrupt that Python has dropped is raised again."""


class LazyGroup(click.Group):
    """A group whose commands are imported on first use."""

    def list_commands(self, _: click.Context) -> list[str]:
        """Return the commands in the order in which a newcomer needs them."""
        return list(COMMANDS)

    def get_command(self, _: click.Context, name: str) -> click.Command | None:
        """Import and return one command."""
        if name not in COMMANDS:
            return None
        if name in _ENDLESS:
            gc.set_threshold(_ALLOCATIONS)
        module = importlib.import_module(f"producer.cli.commands.{COMMANDS[name][0]}")
        command: click.Command = getattr(module, name.replace("-", "_"))
        return _with_manners(command)

    def parse_args(self, context: click.Context, args: list[str]) -> list[str]:
        """Parse the arguments. Until the command ends, errors are JSON if `--json` is one of them."""
        Manner.begin(as_json="--json" in args)
        context.call_on_close(Manner.end)
        return super().parse_args(context, args)

    def format_commands(self, _: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands. To ask each of them for its sentence would import all, which takes half of the time."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, sentence) for name, (_, sentence) in COMMANDS.items()])

    def invoke(self, context: click.Context) -> Any:
        """Run a command. Make what Click says about its arguments printable, because others may have named the files.

        A glob of the shell passes such names on, and one that begins with a dash looks like an option.
        """
        try:
            return super().invoke(context)
        except click.ClickException as fault:
            if Manner.as_json:
                print_error("usage", fault.format_message())
                sys.exit(fault.exit_code)
            # By their names in the dictionary, because Click's types say that nobody changes them.
            vars(fault)["message"] = "\n".join(map(printable, fault.message.split("\n")))
            if sys.stderr.isatty():
                said = wrapped(f"{_CLICK_SAYS}{fault.format_message()}", shutil.get_terminal_size().columns)
                vars(fault)["format_message"] = lambda: said.removeprefix(_CLICK_SAYS)
            raise


def _with_manners(command: click.Command) -> click.Command:
    """Give a command, and those of a group, the options that every command has. A second call changes nothing."""
    if MANNERS[0] not in command.params:
        command.params.extend(MANNERS)
        for each in command.commands.values() if isinstance(command, click.Group) else ():
            _with_manners(each)
    return command


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=EXIT_CODES,
)
@click.version_option(package_name="digitmill")
def main() -> None:
    """Classify handwritten digits in bulk and report the accuracy.

    \b
    Start here:
      digitmill demo               classify MNIST's test set with a mill on this machine
      digitmill submit scans/      classify your own images
      digitmill up                 keep a mill running on this machine
    """
    from worker.settings import wants_colours

    show_warnings()
    show_any_character()
    click.get_current_context().color = wants_colours()
    # `kill` and a closed terminal end a command in order, as Ctrl-C does. A signal that `nohup` ignores stays ignored.
    interrupts = _Interrupts()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, interrupts.handle)
    signal.signal(signal.SIGALRM, interrupts.handle_again)
    if not isinstance(getattr(sys.unraisablehook, "__self__", None), _Interrupts):  # a test may run several commands
        sys.unraisablehook = interrupts.look_at_ignored


_with_manners(main)


class _Interrupts:
    """Handles signals: the first one ends the command in order, and a second Ctrl-C ends it at once.

    Python handles a signal wherever it happens to be. In the callback of a weak reference or in a finalizer it drops
    the error, and the command would go on. Then a timer raises it again, a moment later.
    """

    def __init__(self) -> None:
        self._interrupted = False
        self._ignore = sys.unraisablehook

    def handle(self, number: int, _frame: FrameType | None) -> None:
        """Handle a signal.

        Raises:
            KeyboardInterrupt: It is the first one.
        """
        if not self._interrupted:
            self._interrupted = True
            raise KeyboardInterrupt
        # A closed terminal may send several signals, which do not mean that anybody is impatient.
        if number == signal.SIGINT:
            end_at_once()

    def handle_again(self, _number: int, _frame: FrameType | None) -> None:
        """Handle the timer of an interrupt that Python has dropped.

        Raises:
            KeyboardInterrupt: Always.
        """
        raise KeyboardInterrupt

    def look_at_ignored(self, ignored: "sys.UnraisableHookArgs") -> None:
        """Take note of an error that Python drops, and see to it that an interrupt is not lost."""
        if issubclass(ignored.exc_type, KeyboardInterrupt):
            signal.setitimer(signal.ITIMER_REAL, _AGAIN_SECONDS)
        else:
            self._ignore(ignored)
