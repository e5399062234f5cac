"""Teaching: labelled images on their way to the trainer, and the trainer's account of what it keeps.

A label change waits in an inbox in Redis until the trainer has written it into its folder. That folder is the truth.
What Redis lists as taught is only the trainer's account of it. Only the last label of an image counts, so the inbox
holds one change for each image. It is harmless to send or to settle a change again.
"""

from worker.contract.teaching.records import LabelChange
from worker.contract.teaching.teaching import BATCH, MAX_TAUGHT, MAX_WAITING, Listing, Settled, Summary, Teaching

__all__ = ["BATCH", "MAX_TAUGHT", "MAX_WAITING", "LabelChange", "Listing", "Settled", "Summary", "Teaching"]
