"""The lane's process in each worker: it answers single calls, so that they do not wait behind the batches of jobs."""
