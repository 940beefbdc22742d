# Leat's daemons. One image with all of them and the command line (target `leat`, the last but four), and
# one target a daemon that adds what to run and how to ask for its health.
#   docker build --target leat-api -t leat/leat-api .
# Nothing of a site is in a layer: databases, tokens and keys come when a container starts (docs/deploy.md).
# BUILD_BASE and BASE are any Debian 12; packages that they lack are installed. `dev/images leat` gives it
# two that lack nothing, so that the build needs no network.
ARG BASE=debian:bookworm-slim
ARG BUILD_BASE=debian:bookworm-slim

FROM ${BUILD_BASE} AS build
WORKDIR /src
COPY dev/setup dev/setup
RUN dev/setup image
COPY . .
RUN make -s -j"$(nproc)" all && make -s install DESTDIR=/out PREFIX=/usr

FROM ${BASE} AS runtime
COPY dev/setup /tmp/setup
RUN /tmp/setup runtime && rm -rf /tmp/setup /var/lib/apt/lists/*
# Numbers that do not change, so that volumes keep their owner; the folders are theirs from the first start.
RUN groupadd --gid 10001 leat && useradd --uid 10001 --gid leat --home-dir /var/lib/leat --no-create-home --shell /usr/sbin/nologin leat \
    && install -d -m 750 -o leat -g leat /var/lib/leat /var/lib/leat/store /var/lib/leat/buckets /var/lib/leat/worker /var/lib/leat/keys

FROM runtime AS leat
ARG VERSION=unknown
LABEL org.opencontainers.image.title="Leat" \
      org.opencontainers.image.description="Event-driven pipeline orchestrator" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}"
COPY --from=build /out/usr/bin/ /usr/bin/
USER leat:leat
WORKDIR /var/lib/leat
STOPSIGNAL SIGTERM
# A daemon's health is an HTTP question to itself; bash's own socket asks it, so that no more is installed.
COPY dev/container-health /usr/local/bin/leat-health
CMD ["leat", "--help"]

FROM leat AS leat-scheduler
ENV LEAT_LISTEN=127.0.0.1:8090
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["leat-health", "8090"]
ENTRYPOINT ["leat-scheduler"]
CMD []

FROM leat AS leat-worker
ENV LEAT_LISTEN=127.0.0.1:8091
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["leat-health", "8091"]
ENTRYPOINT ["leat-worker"]
CMD []

FROM leat AS leat-triggers
ENV LEAT_HOOKS=0.0.0.0:8081
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["leat-health", "8081"]
EXPOSE 8081
ENTRYPOINT ["leat-triggers"]
CMD []

FROM leat AS leat-api
ENV LEAT_LISTEN=0.0.0.0:8080
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["leat-health", "8080"]
EXPOSE 8080
ENTRYPOINT ["leat-api"]
CMD []
