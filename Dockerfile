# docker build -t fashion-mnist . && docker run --rm -it fashion-mnist make repro
FROM python:3.13-slim AS base
# Debian's mirrors keep only the newest version of a package: a pinned one could not be found.
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install -y --no-install-recommends git make \
 && rm -rf /var/lib/apt/lists/*

FROM base
WORKDIR /fashion-mnist
COPY . .
# No cache that would make the image twice as large; compiled here, as a container starts afresh.
RUN PIP_NO_CACHE_DIR=1 UV_NO_CACHE=1 UV_COMPILE_BYTECODE=1 make install CPU=1
ENV PATH="/fashion-mnist/.venv/bin:$PATH"
CMD ["bash"]
