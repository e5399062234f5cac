"""The stream: a folder whose files are classified as they arrive, and the file of rows that grows by them."""
