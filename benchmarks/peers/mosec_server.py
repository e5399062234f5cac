"""mosec: a worker process per core, which takes what waits, at most 64 bodies. Arguments: port, number of cores."""

import sys

from answering import Classifier, answers_of
from mosec import Server, Worker


class Classify(Worker):
    """Classifies bodies."""

    def __init__(self) -> None:
        super().__init__()
        self._classifier = Classifier.baseline()

    def deserialize(self, data: bytes) -> bytes:
        """Return a body as it is."""
        return data

    def serialize(self, data: bytes) -> bytes:
        """Return an answer as it is."""
        return data

    def forward(self, data: list[bytes]) -> list[bytes]:
        """Return the answers to bodies."""
        return answers_of(self._classifier, data)


if __name__ == "__main__":
    port, cores = sys.argv[1:]
    sys.argv[1:] = ["--port", port, "--address", "127.0.0.1", "--max-body-size", str(2**24)]
    server = Server()
    server.append_worker(Classify, num=int(cores), max_batch_size=64, max_wait_time=1)
    server.run()
