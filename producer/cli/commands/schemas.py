"""`schemas`: prints the JSON Schemas of what the commands print."""

import json
from typing import TYPE_CHECKING, Any

import click

from model.errors import UsageError
from producer.cli.exits import exit_on_error
from producer.cli.json_output import print_json
from producer.cli.options import JSON
from producer.public import answers, comparison, jobs, mill, models, operating, teaching, training
from producer.public.body import Document
from producer.public.schema import Schemas, schema_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def _report() -> type[Document]:
    from producer.report.summary import report_form

    return report_form()


FORMS: "dict[str, Sequence[type[Document] | Callable[[], type[Document]]]]" = {
    "submit": (_report, jobs.Sent, jobs.Preview),
    "classify": (answers.Answers,),
    "watch": (answers.Watched,),
    "inspect": (answers.InspectedAnswers,),
    "resume": (_report, jobs.Sent),
    "resubmit": (_report,),
    "demo": (_report,),
    "up": (operating.Started,),
    "serve": (operating.Serving, operating.Exchange),
    "jobs": (jobs.Jobs,),
    "show": (jobs.ShownJob,),
    "wait": (jobs.OneJob,),
    "cancel": (jobs.OneJob,),
    "report": (_report,),
    "review": (jobs.Reviewed,),
    "compare": (comparison.JobComparison,),
    "models list": (models.Models,),
    "models show": (models.ShownModel,),
    "models compare": (models.ModelComparison,),
    "models promote": (models.NowLive,),
    "models rollback": (models.NowLive,),
    "models push": (models.Pushed,),
    "models pull": (models.Pulled,),
    "models export": (models.Exported,),
    "models import": (models.ImportedModels,),
    "models report": (models.TrainingReport,),
    "models delete": (models.Deleted,),
    "teach": (teaching.Teaching, teaching.TaughtImages),
    "train": (training.OneTraining,),
    "status": (mill.Status,),
    "queue pause": (mill.TurnedGate,),
    "queue drain": (mill.TurnedGate,),
    "queue resume": (mill.TurnedGate,),
    "backup": (operating.Backup,),
    "restore": (operating.Backup,),
    "logs": (operating.Logs,),
    "clean": (operating.Cleaned,),
    "redis-users": (operating.RedisUsers,),
    "schemas": (Schemas,),
    "report.json": (_report,),
    "rows.jsonl": (answers.Row,),
    "errors": (answers.Failed, answers.Noticed),
}
"""What each command prints with `--json`, and what files and standard error have. A function returns a class."""


@click.command()
@click.argument(
    "name", required=False, shell_complete=lambda _, __, typed: [name for name in FORMS if name.startswith(typed)]
)
@JSON
@exit_on_error
def schemas(name: str | None, as_json: bool) -> None:
    """Print the JSON Schema of what a command prints with `--json`.

    NAME is a command, such as `jobs` or "models list". `report.json` is the file of a report, `rows.jsonl` has the rows
    of `watch`, and `errors` is what standard error has. Without NAME, the command lists all names. With --json, it
    prints an object with the schema by its name, or with all schemas.

    \b
    Examples:
      digitmill schemas classify
      digitmill schemas "models list"
    """
    if as_json:
        print_json(Schemas(schemas={each: schema(each) for each in ([name] if name else FORMS)}))
    elif name:
        click.echo(json.dumps(schema(name), indent=2))
    else:
        click.echo("\n".join(FORMS))


def schema(name: str) -> dict[str, Any]:
    """Return the schema of what a command prints.

    Raises:
        UsageError: There is nothing with this name.
    """
    if name not in FORMS:
        raise UsageError(f"{name!r} is not one of the names that `digitmill schemas` lists.")
    forms = [form if isinstance(form, type) else form() for form in FORMS[name]]
    return schema_of(forms, title=name if name in _FILES else f"digitmill {name} --json")


_FILES = ("report.json", "rows.jsonl", "errors")
