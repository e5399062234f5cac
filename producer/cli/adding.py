"""What `submit --new` and `resubmit` add to a report that is there already."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import click

from producer.cli.display.wording import counted
from producer.cli.notices import print_notice, printable
from producer.jobs.kept.order import SubmitOptions
from producer.jobs.results import Results
from producer.public.body import to_text
from producer.report.earlier import Earlier, read_earlier, versions_of
from producer.report.place import FIGURES, PAGE, adding_to
from producer.report.tables.rows import FileVersion
from producer.sources import Source


@dataclass(frozen=True, slots=True)
class Adding:
    """What a job adds to a report, and what the report has.

    Attributes:
        folder: Folder of the report.
        whole: All images that the user named.
        names: Names of those that the job has: the report lacks them, their files have changed, or they are
            quarantined.
        earlier: Rows of the others.
        versions: Versions of the files of all rows, old and new, by name.
    """

    folder: Path
    whole: Source
    names: Sequence[str]
    earlier: Results
    versions: Mapping[str, FileVersion]

    @classmethod
    def to(cls, folder: Path, source: Source, options: SubmitOptions) -> Self:
        """Compare what the user named with the report in a folder. Nobody else adds to it until the command ends.

        Raises:
            UsageError: The folder has something else than a report, or a report of other images or columns, or another
                process is adding to it.
        """
        return cls._to(folder, source, options, lambda found, now: found.lacks(now))

    @classmethod
    def again(cls, folder: Path, source: Source, options: SubmitOptions) -> Self:
        """Find the quarantined images of a report, also those that a killed client was sending again.

        Raises:
            UsageError: As for `to`.
        """
        return cls._to(folder, source, options, lambda found, _: found.quarantined(source.names))

    @classmethod
    def _to(
        cls,
        folder: Path,
        source: Source,
        options: SubmitOptions,
        choose: Callable[[Earlier, Mapping[str, FileVersion]], list[str]],
    ) -> Self:
        click.get_current_context().with_resource(adding_to(folder))  # until the command ends
        form = {"probabilities": options.probabilities, "numbers": options.reads_numbers}
        found, now = read_earlier(folder, source, **form), versions_of(source)
        names = choose(found, now)
        rest = found.without(names)
        return cls(folder, source, names, rest.results(**form), {**rest.versions(now), **now})

    def print_left_out(self) -> None:
        """Say how many images the report has already."""
        if known := self.whole.total - len(self.names):
            print_notice(
                f"{self.folder} has rows of {known:,} of {counted(self.whole.total, 'image')}, which are left out"
            )

    def print_unchanged(self, *, as_json: bool, sentence: str = "Nothing is new.") -> None:
        """Say why no job is made, and where the report is."""
        page = self.folder / PAGE
        if not as_json:
            click.echo(f"{sentence} The report is {printable(str(page))}")
            return
        figures = json.loads((self.folder / FIGURES).read_bytes())
        click.echo(to_text({**figures, "earlier": figures["images"], "report": str(page)}))
