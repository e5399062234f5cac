"""Two jobs on the same images, side by side: the figures, and the page with pictures of what changed."""
