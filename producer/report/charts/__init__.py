"""Charts: the numbers that they show, and how the page and Matplotlib draw them."""
