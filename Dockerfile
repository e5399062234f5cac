# Builds one image for each role:   docker build --target worker --tag digitmill-worker .
#
# Dependencies come from requirements/, by version and hash. They have layers of their own, so that a change of code
# does not install them again. Shared stages come first and TensorFlow last, because a builder without BuildKit builds
# every stage above its target.
#
# The tags of the base images are exact. `make pin` writes their digests as well, where a registry answers.
ARG PYTHON=python:3.11.14-slim-bookworm
ARG REDIS=redis:7.4.6-bookworm

# Redis -----------------------------------------------------------------------------------------------------------

FROM ${REDIS} AS redis
# Valkey's programs have other names.
RUN for name in server cli; do command -v redis-$name || ln -s "$(command -v valkey-$name)" /usr/local/bin/redis-$name; done
# Not /data, because the base declares it a volume, and a build loses its changes to volumes.
RUN install --directory --owner=999 --group=999 --mode=700 /var/lib/redis-mill
COPY docker/redis.conf docker/users.conf docker/start-redis /etc/digitmill/
USER 999:999
WORKDIR /var/lib/redis-mill
VOLUME /var/lib/redis-mill
# Replace the base's entry point, because it expects to start as root.
ENTRYPOINT ["sh", "/etc/digitmill/start-redis"]
CMD []
# Redis answers PONG only after it has loaded the append-only file, and only to the right password (REDISCLI_AUTH).
HEALTHCHECK --interval=5s --timeout=3s --start-period=60s --retries=3 CMD redis-cli ping | grep --quiet --line-regexp PONG
ARG VERSION
LABEL org.opencontainers.image.title="digitmill: Redis" \
      org.opencontainers.image.description="Redis for digitmill: durable, without eviction, protected by a password" \
      org.opencontainers.image.version="${VERSION}"

# Stages that the images of digitmill share ---------------------------------------------------------------------------

FROM ${PYTHON} AS base
ENV PATH=/opt/digitmill/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    HOME=/tmp \
    DIGITMILL_DATA=/var/lib/digitmill \
    DIGITMILL_CACHE=/mnist
# Anyone may write to /mnist, because the first to need MNIST downloads it: the trainer, or the producer under the id
# of its user.
RUN useradd --uid 10001 --user-group --no-create-home --home-dir /tmp --shell /usr/sbin/nologin digitmill \
 && install --directory --owner=digitmill --group=digitmill --mode=700 /var/lib/digitmill \
 && install --directory --mode=1777 /mnist

FROM base AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
# The base's pip installs into this environment, so that the images do not carry a second pip.
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
# The build fails if VERSION is not the version of the wheel, so that no label states a wrong one.
RUN /opt/build/bin/hatchling build --target wheel --directory /wheel \
 && pip --python /opt/digitmill install --no-deps --no-index "/wheel/digitmill-${VERSION}-py3-none-any.whl"

FROM build AS worker-packages
COPY requirements/worker.txt requirements/
# A worker neither uses a GPU nor compiles models.
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
CMD ["python", "-P", "-m", "worker"]
HEALTHCHECK --interval=20s --timeout=5s --start-period=30s --retries=3 CMD ["python", "-P", "-m", "worker.health", "worker"]
ARG VERSION
LABEL org.opencontainers.image.title="digitmill: worker" \
      org.opencontainers.image.description="Classifies handwritten digits; one process, one core" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.licenses="MIT"

FROM worker AS scheduler
CMD ["python", "-P", "-m", "worker.scheduler"]
HEALTHCHECK --interval=20s --timeout=5s --start-period=30s --retries=3 CMD ["python", "-P", "-m", "worker.health", "scheduler"]
ARG VERSION
LABEL org.opencontainers.image.title="digitmill: scheduler" \
      org.opencontainers.image.description="Requests trainings on a schedule" \
      org.opencontainers.image.version="${VERSION}"

FROM worker AS exporter
CMD ["python", "-P", "-m", "worker.exporter"]
# Whether the process lives. If Redis is away, a restart of this container does not help.
HEALTHCHECK --interval=20s --timeout=5s --start-period=30s --retries=3 CMD ["python", "-P", "-c", "import os, urllib.request as u; u.urlopen('http://127.0.0.1:' + os.environ['DIGITMILL_METRICS_PORT'] + '/metrics', timeout=4)"]
ARG VERSION
LABEL org.opencontainers.image.title="digitmill: exporter" \
      org.opencontainers.image.description="Shows the queue, Redis and the mill as a whole to Prometheus" \
      org.opencontainers.image.version="${VERSION}"

FROM base AS producer
COPY --from=producer-packages /opt/digitmill /opt/digitmill
COPY --from=code /opt/digitmill /opt/digitmill
USER 10001:10001
ENTRYPOINT ["digitmill"]
CMD ["--help"]
ARG VERSION
LABEL org.opencontainers.image.title="digitmill: producer" \
      org.opencontainers.image.description="The command line: takes images and returns reports" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.licenses="MIT"

FROM build AS http-packages
COPY requirements/http.txt requirements/
RUN pip --python /opt/digitmill install --require-hashes -r requirements/http.txt \
 && slim

FROM base AS http
COPY --from=http-packages /opt/digitmill /opt/digitmill
COPY --from=code /opt/digitmill /opt/digitmill
USER 10001:10001
EXPOSE 8080
ENTRYPOINT ["digitmill", "serve", "--host", "0.0.0.0"]
CMD []
# Whether the process lives. If Redis or the workers are away, a restart of this container does not help.
HEALTHCHECK --interval=20s --timeout=5s --start-period=30s --retries=3 CMD ["python", "-P", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8080/healthz', timeout=4)"]
ARG VERSION
LABEL org.opencontainers.image.title="digitmill: http" \
      org.opencontainers.image.description="Answers programs: takes images over HTTP and returns predictions" \
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
CMD ["python", "-P", "-m", "worker.trainer"]
HEALTHCHECK --interval=20s --timeout=5s --start-period=30s --retries=3 CMD ["python", "-P", "-m", "worker.health", "trainer"]
ARG VERSION
LABEL org.opencontainers.image.title="digitmill: trainer" \
      org.opencontainers.image.description="Trains with TensorFlow, and publishes models that pass the gate" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.licenses="MIT"
