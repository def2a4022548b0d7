# The image of memq, from its sources and nothing but a stock Rust image:
#
#   docker build -t memq .
#
# It is built for the architecture of the machine that builds (or of --platform, under emulation).
# `cargo xtask image` makes the same image without Docker; a test keeps the two alike.

ARG RUST_VERSION=1.95.0
FROM rust:${RUST_VERSION}-bookworm AS build
ARG RUST_VERSION
# What the base image has is enough: no formatter and no linter, which rust-toolchain.toml also asks for.
ENV RUSTUP_TOOLCHAIN=${RUST_VERSION}
WORKDIR /src
COPY . .
# Dependencies are fetched and compiled once: both caches outlive a change of the sources. Only with a target
# named do the flags leave procedural macros alone, which cannot be static.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    target="$(uname -m)-unknown-linux-gnu" \
 && RUSTFLAGS='-C target-feature=+crt-static' \
    cargo build --release --locked --bin memq --target "$target" \
 && install -D --mode=0755 "target/$target/release/memq" /image/bin/memq
# The certificates to trust, the order in which names are looked up, and under kuard's name its command line.
# A new volume of Docker's takes the owner of the folder it is mounted over: /data, which is made apart.
RUN install -D --mode=0644 /etc/ssl/certs/ca-certificates.crt /image/etc/ssl/certs/ca-certificates.crt \
 && printf 'hosts: files dns\n' >/image/etc/nsswitch.conf \
 && ln -s bin/memq /image/kuard \
 && install --directory --mode=1777 /image/tmp \
 && install --directory --mode=0755 /volumes/data

FROM scratch
ARG VERSION=0.1.0
LABEL org.opencontainers.image.title="memq" \
      org.opencontainers.image.description="A work queue for batch work: server, worker, controller and command line" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}"
COPY --from=build /image/ /
COPY --from=build --chown=65532:65532 /volumes/ /
ENV PATH=/usr/local/bin:/usr/bin:/bin \
    MEMQ_LISTEN=0.0.0.0:8080 \
    MEMQ_STORAGE=auto \
    MEMQ_DATA_DIR=/data
# A number, so that a kubelet can see that it is not root.
USER 65532:65532
EXPOSE 8080/tcp
ENTRYPOINT ["/bin/memq"]
CMD ["server"]
