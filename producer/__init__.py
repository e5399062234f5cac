"""What people touch: the command line, sources of images, the client of the queue, the report, the local stack."""
