"""`models export` and `models import`: versions of the model as one file, from one mill to another."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from producer.cli.completion import complete_versions
from producer.cli.display.wording import counted
from producer.cli.exits import exit_on_error
from producer.cli.json_output import print_json
from producer.cli.notices import print_notice, printable, tell
from producer.cli.options import JSON
from producer.public import models as public

if TYPE_CHECKING:
    from model.cards.card import Card
    from worker.contract.registry import Registry


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.argument("versions", metavar="[VERSION]...", nargs=-1, shell_complete=complete_versions)
@JSON
@exit_on_error
def export(file: Path, versions: tuple[str, ...], as_json: bool) -> None:
    """Write versions into one file, for another mill.

    FILE gets these versions with their cards and reports. Without VERSION, it gets all except the baseline, which every
    installation has. `import` publishes them.

    \b
    Example:
      digitmill models export models.tar
      digitmill models export live.tar live
    """
    from producer.model_file import export_versions

    registry = _registry()
    if versions:
        names = list(dict.fromkeys(map(registry.resolve, versions)))
    else:
        names = [each.version for each in reversed(registry.versions()) if each.version != registry.baseline.version]
    export_versions(registry, names, file)
    if as_json:
        print_json(public.Exported(file=str(file), models=names))
    else:
        tell(printable(f"{file} has {counted(len(names), 'version')}: {', '.join(names) or 'none'}"))


@click.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@JSON
@exit_on_error
def import_(file: Path, as_json: bool) -> None:
    """Publish the versions in a file that `export` has written.

    The command verifies the SHA-256 of each part of FILE, and tries each model in a process with limits, before it
    publishes anything. Versions that are here already stay as they are. No alias moves: what is live stays live.

    \b
    Example:
      digitmill models import models.tar
    """
    from producer.model_file import import_versions

    done = import_versions(_registry(), file, try_here)
    if as_json:
        print_json(public.ImportedModels(models=done.new, known=done.known, aliases=dict(done.aliases)))
        return
    verb = "was" if len(done.known) == 1 else "were"
    known = f"; {counted(len(done.known), 'version')} {verb} here already" if done.known else ""
    tell(printable(f"Published {counted(len(done.new), 'version')}: {', '.join(done.new) or 'none'}{known}"))
    if live := done.aliases.get("live"):
        tell(printable(f"next      digitmill models promote {live}    (it was live where the file was made)"))


def try_here(card: "Card", content: bytes) -> None:
    """Try a model in a process with limits, if LiteRT is installed here. Otherwise only the workers try it.

    Args:
        card: Card of the model.
        content: Content of its model.tflite.

    Raises:
        ModelError: The model did not pass, or could not be tried.
    """
    from model.inference.limited_process import can_start
    from model.inference.trial import try_model

    if not can_start():
        print_notice(
            f"{card.version} is not tried here, because LiteRT is not installed; workers try it before it serves"
        )
        return
    try_model(card.version, content, card.temperature)


def _registry() -> "Registry":
    from producer.mill.finding import open_running_mill
    from worker.settings import Settings

    return open_running_mill(Settings.from_environment()).registry
