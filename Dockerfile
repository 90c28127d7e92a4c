# syntax=docker/dockerfile:1
#
#   docker build -t denizen .
#
# Three build stages, so that a change in our sources does not rebuild the crates they depend on:
# the first one reduces the tree to what decides about dependencies, and the cache of the second
# is keyed by the contents of that alone.
# Each RUN of the build is a script. `.ci/run` runs them outside Docker, in the same order and folders, except
# for scripts/docker-tools, which compiles a tool that is not ours.
# Other platforms and attestations: docs/deployment.md.

ARG RUST_VERSION=1.95.0
ARG DEBIAN_VERSION=13.6

FROM rust:${RUST_VERSION}-slim-trixie AS base
# A C compiler for SQLite and aws-lc; `rust:slim` has one. The toolchain of the image is the one to use,
# whatever rust-toolchain.toml asks for besides.
ARG RUST_VERSION
ENV RUSTUP_TOOLCHAIN=${RUST_VERSION}
WORKDIR /build
# cargo-auditable: the binary then contains the list of its crates.
COPY scripts/docker-tools scripts/docker-tools
RUN scripts/docker-tools /usr/local

FROM base AS manifests
COPY . .
RUN scripts/docker-manifests /manifests

FROM base AS build
COPY --from=manifests /manifests .
RUN scripts/docker-build-deps
COPY . .
RUN scripts/docker-build /out

# The same release of Debian as the build stage: the binary needs its C library.
FROM debian:${DEBIAN_VERSION}-slim
ARG DEBIAN_VERSION
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Denizen" \
      org.opencontainers.image.description="An accounts backend: users, sign-in, sessions and access" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.licenses="MIT OR Apache-2.0" \
      org.opencontainers.image.base.name="debian:${DEBIAN_VERSION}-slim"
# No package is needed: TLS roots are in the binary, and so is SQLite.
RUN useradd --system --uid 10001 --user-group --no-create-home --home-dir /var/lib/denizen --shell /usr/sbin/nologin denizen \
 && install --directory --owner=denizen --group=denizen --mode=0700 /var/lib/denizen
COPY LICENSE-MIT LICENSE-APACHE /usr/share/doc/denizen/
COPY --from=build /out/denizen /usr/local/bin/denizen
USER 10001:10001
# Relative paths of the defaults, `data/denizen.db` and `data/master.key`, lie in the volume. Nothing else is written:
# the root file system can be read-only.
WORKDIR /var/lib/denizen
VOLUME /var/lib/denizen
ENV DENIZEN__SERVER__HOST=0.0.0.0
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=15s --start-interval=1s --retries=3 \
  CMD ["denizen", "healthcheck"]
ENTRYPOINT ["denizen"]
CMD ["serve"]
