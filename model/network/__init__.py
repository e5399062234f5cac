"""The network, its weights and its export. Besides this room, only training imports TensorFlow."""
