"""HTTP: classifies the images of any program over the lane of single images, and shows jobs."""

from producer.http.server import Options, serve

__all__ = ["Options", "serve"]
