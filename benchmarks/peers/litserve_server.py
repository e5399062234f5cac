"""LitServe: a worker process per core, which takes what waits, at most 64 bodies. Arguments: port, number of cores."""

import sys
from typing import Annotated

from answering import Classifier, answers_of
from fastapi import Body
from litserve import LitAPI, LitServer


class Classify(LitAPI):
    """Classifies bodies."""

    def setup(self, device: str) -> None:  # noqa: ARG002  LitServe names it
        """Load the model in a worker process."""
        self._classifier = Classifier.baseline()

    def decode_request(self, request: Annotated[bytes, Body()]) -> bytes:
        """Return a body as it is."""
        return request

    def batch(self, inputs: list[bytes]) -> list[bytes]:
        """Keep bodies apart."""
        return inputs

    def predict(self, bodies: list[bytes]) -> list[bytes]:
        """Return the answers to bodies."""
        return answers_of(self._classifier, bodies)

    def unbatch(self, answers: list[bytes]) -> list[bytes]:
        """Return the answers one by one."""
        return answers

    def encode_response(self, answer: bytes) -> str:
        """Return an answer as text, which LitServe writes as JSON."""
        return answer.decode()


if __name__ == "__main__":
    port, cores = map(int, sys.argv[1:])
    api = Classify(max_batch_size=64, batch_timeout=0.001)
    server = LitServer(api, accelerator="cpu", workers_per_device=cores, track_requests=False)
    server.run(host="127.0.0.1", port=port, log_level="warning", access_log=False, generate_client_file=False)
