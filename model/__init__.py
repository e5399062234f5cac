"""The network and everything that concerns single images: data, training, export, decoding, classifying, judging.

No module here knows Celery, Redis or environment variables. Only `model.network` and `model.training` import
TensorFlow; `model.evaluation` imports it when it judges. `model.inference` needs LiteRT; the other rooms need neither.
"""
