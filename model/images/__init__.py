"""From the bytes of an image file to the 28×28 image that the network reads. Knows no labels, cards or networks."""
