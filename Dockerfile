# JupyterLab with the lessons and a Kafka cluster inside; the order system is in the same image.
#
#   docker build --tag eventlab:0.1.0 .
#   docker run --rm --publish 127.0.0.1:8888:8888 eventlab:0.1.0     # open the address it prints
#   docker run --rm eventlab:0.1.0 eventlab orders --help            # any command of eventlab
#
# A class on JupyterHub: --build-arg WITH=jupyterhub==5.5.0, the version of the hub.
ARG BASE=python:3.12-slim-bookworm

FROM ${BASE} AS build
WORKDIR /src
COPY pyproject.toml requirements.lock deploy/init.lock ./
# The versions and hashes of requirements.lock, and of it no more than is asked for: uv checks the
# hashes of constraints, pip only those of a whole list.
RUN awk '/^[a-z0-9]/ {wanted = /^uv==/} wanted' requirements.lock > uv.lock \
    && python -m venv /uv && /uv/bin/pip install --no-cache-dir --require-hashes --requirement uv.lock
ARG WITH=
RUN /uv/bin/uv venv --no-cache /opt/eventlab \
    && export VIRTUAL_ENV=/opt/eventlab UV_NO_CACHE=1 \
    && /uv/bin/uv pip install --constraint requirements.lock --requirement pyproject.toml --extra postgres ${WITH} \
    && /uv/bin/uv pip install --require-hashes --requirement init.lock
COPY README.md LICENSE docker-compose.yaml ./
COPY data data
COPY notebooks notebooks
COPY eventlab eventlab
RUN /uv/bin/uv build --no-cache --wheel --require-hashes --build-constraint requirements.lock \
    && VIRTUAL_ENV=/opt/eventlab /uv/bin/uv pip install --no-cache --no-deps --compile-bytecode dist/*.whl

FROM ${BASE}
RUN useradd --uid 1000 --create-home learner \
    && install --directory --owner=learner --group=learner --mode=0700 /var/lib/eventlab
COPY --from=build /opt/eventlab /opt/eventlab
# HOME may be a volume of a class; the jars and the start-up cache stay in the image.
ENV PATH=/opt/eventlab/bin:$PATH EVENTLAB_HOME=/var/lib/eventlab
USER 1000:1000
WORKDIR /home/learner
RUN eventlab fetch
EXPOSE 8888
HEALTHCHECK --start-period=60s --interval=15s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8888/api', timeout=3)"]
# An init: brokers that lost their parent are reaped, and SIGTERM reaches JupyterLab.
ENTRYPOINT ["dumb-init", "--"]
CMD ["eventlab", "lab", "--no-browser", "--host", "0.0.0.0", "--port", "8888"]
