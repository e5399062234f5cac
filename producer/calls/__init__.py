"""Single images from programs: a client that sends them through the lane, and what it returns."""

from producer.calls.asynchronous import AsyncClient
from producer.calls.client import Client
from producer.calls.functions import classify, classify_many
from producer.calls.prediction import Prediction

__all__ = ["AsyncClient", "Client", "Prediction", "classify", "classify_many"]
