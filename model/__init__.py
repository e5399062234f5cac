"""The network and everything that concerns single images: data, training, export, decoding, classifying, judging.

No module here uses Celery or Redis, or takes settings from environment variables. Only `model.network` and
`model.training` import TensorFlow; `model.evaluation` imports it when it judges. `model.inference`, `model.evaluation`
and `model.training` need LiteRT. The other rooms need neither.
"""
