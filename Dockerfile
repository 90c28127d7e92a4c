# syntax=docker/dockerfile:1
#
# Three build stages, so that a change in our sources does not rebuild the crates they depend on:
# the first one reduces the tree to what decides about dependencies, and the cache of the second
# is keyed by the contents of that alone.
# Each RUN is a script that `.ci/run` also runs outside Docker, in the same order and the same places.

ARG RUST_VERSION=1.95.0

FROM rust:${RUST_VERSION}-slim-bookworm AS base
# A C compiler for SQLite and aws-lc; `rust:slim` has one. The toolchain of the image is the one to use,
# whatever rust-toolchain.toml asks for besides.
ARG RUST_VERSION
ENV RUSTUP_TOOLCHAIN=${RUST_VERSION}
WORKDIR /build

FROM base AS manifests
COPY . .
RUN scripts/docker-manifests /manifests

FROM base AS build
COPY --from=manifests /manifests .
RUN scripts/docker-build-deps
COPY . .
RUN scripts/docker-build /out

FROM debian:bookworm-slim
# No package is needed: TLS roots are in the binary, and so is SQLite.
RUN useradd --system --uid 10001 --user-group --no-create-home --shell /usr/sbin/nologin denizen \
 && install --directory --owner=denizen --group=denizen --mode=0700 /var/lib/denizen
COPY --from=build /out/denizen /usr/local/bin/denizen
USER 10001:10001
# Relative paths of the defaults, `data/denizen.db` and `data/master.key`, lie in the volume.
WORKDIR /var/lib/denizen
VOLUME /var/lib/denizen
ENV DENIZEN__SERVER__HOST=0.0.0.0
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=15s --start-interval=1s --retries=3 \
  CMD ["denizen", "healthcheck"]
ENTRYPOINT ["denizen"]
CMD ["serve"]
