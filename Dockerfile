# An image for each role, from one file:   docker build --target worker --tag digitmill-worker .
#
# Dependencies come from requirements/, by version and hash, in layers that a change of code leaves alone. What every
# image shares stands first, TensorFlow last: a builder without BuildKit makes all that is above its target.
ARG PYTHON=python:3.11-slim-bookworm
ARG REDIS=redis:7.4-bookworm

# Redis -----------------------------------------------------------------------------------------------------------

FROM ${REDIS} AS redis
# Not /data, which the base declares a volume: what is changed in one while building is lost.
RUN install --directory --owner=999 --group=999 --mode=700 /var/lib/redis-mill
COPY docker/redis.conf docker/start-redis /etc/digitmill/
USER 999:999
WORKDIR /var/lib/redis-mill
VOLUME /var/lib/redis-mill
# Not the base's entry point, which wants to begin as root.
ENTRYPOINT ["sh", "/etc/digitmill/start-redis"]
CMD []
# PONG comes only once the append-only file is loaded, and only for the right password (REDISCLI_AUTH).
HEALTHCHECK --interval=5s --timeout=3s --start-period=60s --retries=3 CMD redis-cli ping | grep --quiet --line-regexp PONG
ARG VERSION
LABEL org.opencontainers.image.title="digitmill: Redis" \
      org.opencontainers.image.description="Redis as digitmill wants it: durable, never evicting, never without a password" \
      org.opencontainers.image.version="${VERSION}"

# What the images of digitmill itself share -------------------------------------------------------------------------

FROM ${PYTHON} AS base
ENV PATH=/opt/digitmill/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    HOME=/tmp \
    DIGITMILL_DATA=/var/lib/digitmill \
    DIGITMILL_CACHE=/mnist
# /mnist is for whoever asks for MNIST first, be it the trainer or, under its user's id, the producer.
RUN useradd --uid 10001 --user-group --no-create-home --home-dir /tmp --shell /usr/sbin/nologin digitmill \
 && install --directory --owner=digitmill --group=digitmill --mode=700 /var/lib/digitmill \
 && install --directory --mode=1777 /mnist

FROM base AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
# The base's pip installs into it, so the images carry no second one.
RUN python -m venv --without-pip /opt/digitmill
COPY docker/slim /usr/local/bin/

FROM build AS code
COPY requirements/build.txt requirements/
RUN python -m venv --without-pip /opt/build && pip --python /opt/build install --require-hashes -r requirements/build.txt
WORKDIR /source
COPY pyproject.toml README.md LICENSE ./
COPY digitmill digitmill
COPY model model
COPY worker worker
COPY producer producer
ARG VERSION
# A label that lies about the version is worse than none: without such a wheel, this ends.
RUN /opt/build/bin/hatchling build --target wheel --directory /wheel \
 && pip --python /opt/digitmill install --no-deps --no-index "/wheel/digitmill-${VERSION}-py3-none-any.whl"

FROM build AS worker-packages
COPY requirements/worker.txt requirements/
# A worker has no GPU and compiles no models.
RUN pip --python /opt/digitmill install --require-hashes -r requirements/worker.txt \
 && slim \
 && cd /opt/digitmill/lib/python3*/site-packages/ai_edge_litert \
 && rm -r libLiteRtWebGpuAccelerator.so tools vendors

FROM build AS producer-packages
COPY requirements/report.txt requirements/
RUN pip --python /opt/digitmill install --require-hashes -r requirements/report.txt \
 && slim

# The images --------------------------------------------------------------------------------------------------------

FROM base AS worker
COPY --from=worker-packages /opt/digitmill /opt/digitmill
COPY --from=code /opt/digitmill /opt/digitmill
USER 10001:10001
CMD ["python", "-m", "worker"]
HEALTHCHECK --interval=20s --timeout=5s --start-period=30s --retries=3 CMD ["python", "-m", "worker.health", "worker"]
ARG VERSION
LABEL org.opencontainers.image.title="digitmill: worker" \
      org.opencontainers.image.description="Classifies handwritten digits; one process, one core" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.licenses="MIT"

FROM worker AS scheduler
CMD ["python", "-m", "worker.scheduler"]
HEALTHCHECK --interval=20s --timeout=5s --start-period=30s --retries=3 CMD ["python", "-m", "worker.health", "scheduler"]
ARG VERSION
LABEL org.opencontainers.image.title="digitmill: scheduler" \
      org.opencontainers.image.description="Asks for trainings by the clock" \
      org.opencontainers.image.version="${VERSION}"

FROM base AS producer
COPY --from=producer-packages /opt/digitmill /opt/digitmill
COPY --from=code /opt/digitmill /opt/digitmill
USER 10001:10001
ENTRYPOINT ["digitmill"]
CMD ["--help"]
ARG VERSION
LABEL org.opencontainers.image.title="digitmill: producer" \
      org.opencontainers.image.description="The command line: images go in, reports come out" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.licenses="MIT"

FROM build AS trainer-packages
COPY requirements/serve.txt requirements/train.txt requirements/
RUN pip --python /opt/digitmill install --require-hashes -r requirements/serve.txt -r requirements/train.txt

FROM base AS trainer
COPY --from=trainer-packages /opt/digitmill /opt/digitmill
COPY --from=code /opt/digitmill /opt/digitmill
USER 10001:10001
VOLUME /var/lib/digitmill
CMD ["python", "-m", "worker.trainer"]
HEALTHCHECK --interval=20s --timeout=5s --start-period=30s --retries=3 CMD ["python", "-m", "worker.health", "trainer"]
ARG VERSION
LABEL org.opencontainers.image.title="digitmill: trainer" \
      org.opencontainers.image.description="Trains, with TensorFlow, and publishes what is no worse" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.licenses="MIT"
