# syntax=docker/dockerfile:1
# The server with its embedding model; docs/operations.md says how to run it and how it gets its first key.

FROM python:3.11-slim-bookworm AS build
# Where a CPU build of torch is; the usual index has CUDA builds of several gigabytes.
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /src
RUN python -m venv /opt/byline
ENV PATH=/opt/byline/bin:$PATH
COPY pyproject.toml requirements.lock ./
# What is slow comes before the source, so that a change of the source takes seconds.
RUN pip install --index-url "$TORCH_INDEX" "$(grep '^torch==' requirements.lock)"
RUN python -c "import tomllib; p = tomllib.load(open('pyproject.toml', 'rb')); x = p['project']['optional-dependencies']; print('\n'.join(p['build-system']['requires'] + p['project']['dependencies'] + x['mcp'] + x['otel']))" > /tmp/packages.txt
RUN pip install --only-binary :all: --constraint requirements.lock --requirement /tmp/packages.txt
COPY . .
RUN pip install --no-deps --no-build-isolation .

FROM python:3.11-slim-bookworm
COPY --from=build /opt/byline /opt/byline
ENV PATH=/opt/byline/bin:$PATH BYLINE_DATA=/data HOME=/tmp PYTHONDONTWRITEBYTECODE=1
RUN install -d -o 10001 -g 10001 -m 0770 /data
USER 10001:10001
WORKDIR /data
# The model in the form of the fastest runtime, which a new volume begins with; elsewhere it is made at the first start.
# On which processor it agrees with the reference is measured where it runs.
RUN python -P -c "from pathlib import Path; from index.exporting import open_export; from index.model_files import SHIPPED_MODEL, check_model; open_export(Path('/data/models'), check_model(SHIPPED_MODEL))"
VOLUME /data
EXPOSE 8000
STOPSIGNAL SIGTERM
# Alive, not ready: a server without an index must not be started again and again.
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --start-interval=2s --retries=3 CMD ["python", "-I", "-c", "import http.client, os, sys; c = http.client.HTTPConnection('127.0.0.1', int(os.environ.get('BYLINE_PORT', '8000')), timeout=4); c.request('GET', '/livez'); sys.exit(c.getresponse().status != 200)"]
ENTRYPOINT ["byline"]
CMD ["serve", "--host", "0.0.0.0"]
