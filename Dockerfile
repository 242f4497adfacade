# SPDX-License-Identifier: Apache-2.0
#
# The image of the DaemonSet: the program, its libraries, certificate authorities, time zones; no
# shell, no package manager.
#
#   docker build -t aigress .
#   docker buildx build --platform linux/amd64,linux/arm64 -t registry.example/aigress:0.2.0 --push .
#
# BASE is any image of Debian 12; the program is compiled for the platform that the build runs as.
ARG BASE=docker.io/library/debian:bookworm-slim

FROM ${BASE} AS build
WORKDIR /src
COPY . .
RUN scripts/deps build image && make -j"$(nproc)" CFLAGS="-O2 -g1" && strip build/aigress

FROM build AS root
RUN deploy/image/root build/aigress /image

FROM scratch
ARG VERSION=0.2.0
LABEL org.opencontainers.image.title="aigress" \
      org.opencontainers.image.description="Spend meter and circuit breaker for AI API egress" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}"
COPY --from=root /image /
ENV PATH=/usr/bin
ENTRYPOINT ["/usr/bin/aigress"]
CMD ["run", "--quiet"]
