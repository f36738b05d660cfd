# The web server. Build: docker build -f web.Dockerfile -t modelyard-web .
# The first stage is the same as worker.Dockerfile's, so both images share its layers.

FROM python:3.13-slim AS build
RUN python -m venv /opt/modelyard
COPY requirements.lock /build/
# Wheels only: no compiler is needed, none is there, and a package that wants one stops the build.
RUN /opt/modelyard/bin/pip install --no-cache-dir --only-binary :all: --require-hashes -r /build/requirements.lock
COPY pyproject.toml README.md LICENSE /build/
COPY src /build/src
RUN /opt/modelyard/bin/pip install --no-cache-dir --no-deps --no-index --no-build-isolation /build \
    && /opt/modelyard/bin/python -m pip uninstall --yes --quiet setuptools pip

FROM python:3.13-slim
COPY --from=build /opt/modelyard /opt/modelyard
# A volume that is mounted here first takes over this owner.
RUN mkdir -p /var/lib/modelyard && chown 10001:10001 /var/lib/modelyard
ENV PATH=/opt/modelyard/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    MODELYARD_HOME=/var/lib/modelyard \
    MODELYARD_HOST=0.0.0.0 \
    MODELYARD_PORT=5080
USER 10001:10001
EXPOSE 5080
HEALTHCHECK --interval=15s --timeout=6s --start-period=20s --retries=3 CMD ["modelyard", "health", "web"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["modelyard"]
CMD ["web"]
