# syntax=docker/dockerfile:1
# `docker build .` builds the service; `--target local-model` builds the small local model's server.
# To pin by digest: --build-arg PYTHON_IMAGE=python:3.11-slim-bookworm@sha256:…
ARG PYTHON_IMAGE=python:3.11-slim-bookworm

# --- all packages, in one virtual environment -----------------------------------------------------
FROM ${PYTHON_IMAGE} AS builder
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_ROOT_USER_ACTION=ignore \
    UV_NO_CACHE=1 \
    UV_PYTHON_DOWNLOADS=never
WORKDIR /build
COPY requirements/ requirements/
RUN python -m venv --without-pip /opt/aurorasoc \
 && pip --python /opt/aurorasoc/bin/python install --no-compile \
      --require-hashes --no-deps --only-binary :all: -r requirements/runtime.lock \
 && pip install --no-compile --require-hashes --no-deps --only-binary :all: \
      -r requirements/bootstrap.lock
COPY pyproject.toml ./
COPY alembic/ alembic/
COPY src/ src/
# Build tools are pinned by hash, too. Unchecked byte code stays valid when an image store changes time
# stamps, and saves three seconds of each start.
RUN uv build --wheel --require-hashes --build-constraints requirements/dev.lock --out-dir dist \
 && pip --python /opt/aurorasoc/bin/python install --no-compile --no-deps --no-index dist/*.whl \
 && /opt/aurorasoc/bin/python -m compileall -q -j 0 --invalidation-mode unchecked-hash \
      /opt/aurorasoc/lib

FROM builder AS builder-local-model
RUN pip --python /opt/aurorasoc/bin/python install --no-compile \
      --require-hashes --no-deps --only-binary :all: -r requirements/local-model.lock

# --- the base of both images ----------------------------------------------------------------------
FROM ${PYTHON_IMAGE} AS base
RUN groupadd --gid 10001 aurorasoc \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /var/lib/aurorasoc \
      --shell /usr/sbin/nologin aurorasoc \
 && install -d -o 10001 -g 10001 -m 0700 /var/lib/aurorasoc
ENV PATH=/opt/aurorasoc/bin:$PATH \
    PYTHONUNBUFFERED=1
WORKDIR /var/lib/aurorasoc
ENTRYPOINT ["aurorasoc"]

# --- the small local model: `docker build --target local-model .` ---------------------------------
FROM base AS local-model
RUN apt-get update \
 && apt-get install --yes --no-install-recommends libgomp1 \
 && rm -rf /var/lib/apt/lists/*
COPY --from=builder-local-model /opt/aurorasoc /opt/aurorasoc
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=3 \
  CMD ["python", "-c", "from urllib.request import ProxyHandler, build_opener as b; b(ProxyHandler({})).open('http://127.0.0.1:8081/health', timeout=2)"]
USER 10001:10001
CMD ["local-model", "serve", "--port", "8081"]

# --- the service: the last stage is the default ---------------------------------------------------
FROM base AS api
COPY --from=builder /opt/aurorasoc /opt/aurorasoc
# The embedded database is here; with AURORA_DATABASE_URL the folder stays empty.
VOLUME /var/lib/aurorasoc
ENV AURORA_HOST=0.0.0.0 \
    AURORA_PORT=8080 \
    AURORA_STATE_DIR=/var/lib/aurorasoc
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=15s --retries=3 \
  CMD ["python", "-c", "import os; from urllib.request import ProxyHandler, build_opener as b; b(ProxyHandler({})).open(f\"http://127.0.0.1:{os.environ['AURORA_PORT']}/healthz\", timeout=2)"]
USER 10001:10001
CMD ["serve"]
