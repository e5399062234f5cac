"""The network and all that concerns single images: data, training, export, decoding, classifying, judging.

Nothing here knows Celery, Redis or an environment variable. TensorFlow is imported only by `network`, `fit`, `train`
and `export`; `classifier` needs LiteRT alone; `preprocess` and `metrics` need neither.
"""
