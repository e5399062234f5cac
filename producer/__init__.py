"""What people touch: the command line, sources of images, jobs, reports, and the local stack."""
