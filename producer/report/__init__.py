"""The report of a job: a folder with the prediction or the failure of every image.

| file | content |
|---|---|
| `report.html`, `review-2.html`, … | the page for people: one file that loads nothing; more cards, if they do not fit |
| `report.json` | the same figures for programs; see `producer.report.summary` |
| `predictions.csv` | all images, in the order of submission; see `producer.report.tables.tables` |
| `errors.csv` | the images that failed, with the reasons |
| `review.csv` | the images below `--min-confidence`, least certain first, for `digitmill teach --csv` |
| `confusion.png`, `predictions.png`, `confidence.png`, | for slides and papers, where Matplotlib is installed |
| `calibration.png`, `training.png`, `throughput.png` | as above |
"""
