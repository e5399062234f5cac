"""Teaching: labelled images on their way to the trainer, and the trainer's account of what it keeps.

What is taught waits in an inbox in Redis until the trainer has written it into its folder, which is the truth; what
Redis lists as taught is the trainer's account of that folder. For an image only its last label counts, so the inbox
holds one change for each, whatever their order, and to send or to settle one again does no harm.
"""

from worker.contract.teaching.records import LabelChange
from worker.contract.teaching.teaching import BATCH, MAX_TAUGHT, MAX_WAITING, Settled, Summary, Teaching

__all__ = ["BATCH", "MAX_TAUGHT", "MAX_WAITING", "LabelChange", "Settled", "Summary", "Teaching"]
