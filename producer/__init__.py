"""The client side of digitmill: the command line, sources of images, jobs, reports and the local stack."""
