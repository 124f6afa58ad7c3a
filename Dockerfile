# syntax=docker/dockerfile:1
# Three stages: the console is built, then a virtual environment made; the last only runs them.
FROM node:24-bookworm-slim AS console

WORKDIR /src/console
COPY console/package.json console/package-lock.json console/.npmrc ./
RUN npm ci
COPY console ./
COPY clients/typescript/src ../clients/typescript/src
RUN npm run build

FROM python:3.12-slim-bookworm AS build

ENV UV_LINK_MODE=copy UV_COMPILE_BYTECODE=1 UV_PYTHON_DOWNLOADS=never
RUN pip install --no-cache-dir uv==0.13.9
WORKDIR /src
RUN uv venv /opt/parley

# The lock is the constraint: the versions and the hashes are its, the choice of packages is the
# project's own without its extras (no embedded servers, no test tools).
COPY pyproject.toml requirements.lock ./
RUN VIRTUAL_ENV=/opt/parley uv pip install --no-cache -c requirements.lock -r pyproject.toml

COPY README.md LICENSE ./
COPY libs libs
COPY services services
COPY parley parley
COPY benchmarks benchmarks
RUN VIRTUAL_ENV=/opt/parley uv pip install --no-cache --no-deps --build-constraints requirements.lock .

FROM python:3.12-slim-bookworm

# A number, so that Kubernetes can see without asking that it is not root.
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin parley \
    && install -d -o 10001 -g 10001 /var/lib/parley
COPY --from=build /opt/parley /opt/parley
COPY --from=console /src/console/dist /opt/console
ENV PATH=/opt/parley/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 \
    PARLEY_GATEWAY_CONSOLE_FOLDER=/opt/console
USER 10001
WORKDIR /var/lib/parley
# Nothing is written outside /var/lib/parley (attachments and anchors, where no object storage is set) and /tmp.
VOLUME ["/var/lib/parley"]
ENTRYPOINT ["parley"]
CMD ["--help"]
