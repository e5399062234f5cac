"""Teaching: labelled images on their way to the trainer, and the trainer's account of what it keeps.

What is taught waits in an inbox in Redis until the trainer has written it into its folder, which is the truth; what
Redis lists as taught is the trainer's account of that folder. For an image only its last label counts, so the inbox
holds one change for each, whatever their order, and to send or to settle one again does no harm.
"""

from worker.teaching.records import Lesson
from worker.teaching.teaching import BATCH, MOST_TAUGHT, MOST_WAITING, Settled, Summary, Teaching

__all__ = ["BATCH", "MOST_TAUGHT", "MOST_WAITING", "Lesson", "Settled", "Summary", "Teaching"]
