"""The exporter: it looks at the queue, at Redis and at the mill as a whole when Prometheus asks."""
