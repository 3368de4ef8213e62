# The image of the operator and that of the workers. The context is a folder that holds `rootfs`:
# the binaries, the loader, the libraries they name and the CA certificates, as `make images` lays
# it out below .cluster/images/. Nothing is fetched:
#
#   make images
#   docker build -f Dockerfile -t boxoffice/workers:0.1.0 .cluster/images/workers
#
# The root folder is complete; a base that brings a shell can be named for debugging.
ARG BASE=scratch
FROM ${BASE}
COPY rootfs/ /
USER 65532:65532
