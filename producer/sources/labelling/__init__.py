"""True labels of images: from the names of folders, or from a label file, whose names are matched with the images."""
