"""The report of a job: one folder that says what became of every image.

| file | what it is |
|---|---|
| `report.html` | the page for people: one file, no network, no script |
| `report.json` | the same figures for programs; see `producer.report.summary` |
| `predictions.csv` | every image, in the order of submission; see `producer.report.tables` |
| `errors.csv` | the images that failed, and why |
| `review.csv` | the images below `--min-confidence`, least certain first, for `digitmill teach --csv`; none at 0 |
| `confusion.png`, `calibration.png`, `throughput.png` | for slides and papers; only where matplotlib is installed |
"""

from producer.report.summary import Summary
from producer.report.write import write_report

__all__ = ["Summary", "write_report"]
