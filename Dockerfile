# One image: the server. Nothing in it runs as root, and it writes only below /var/lib/prodaccess.
FROM python:3.13-slim AS build
# For what the PostgreSQL gateway does for each statement; without a compiler, the same is done in Python.
RUN apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev libssl-dev
WORKDIR /build
COPY requirements/server.txt requirements/server.txt
RUN python -m venv /opt/prodaccess \
 && /opt/prodaccess/bin/pip install --no-cache-dir --require-hashes -r requirements/server.txt
COPY pyproject.toml README.md LICENSE ./
COPY access access
COPY api api
COPY audit audit
COPY bot bot
COPY cli cli
COPY collectors collectors
COPY directory directory
COPY gateways gateways
COPY notary notary
COPY prodaccess prodaccess
COPY providers providers
COPY store store
COPY tickets tickets
COPY verifier verifier
RUN /opt/prodaccess/bin/pip install --no-cache-dir --no-deps --no-build-isolation .

FROM python:3.13-slim
RUN useradd --system --uid 10001 --home-dir /var/lib/prodaccess --create-home prodaccess
COPY --from=build /opt/prodaccess /opt/prodaccess
ENV PATH=/opt/prodaccess/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PRODACCESS_LISTEN=0.0.0.0:8443 \
    PRODACCESS_POLICY=/etc/prodaccess/policy.yml \
    PRODACCESS_DATABASE_URL=sqlite:////var/lib/prodaccess/prodaccess.db
USER 10001
WORKDIR /var/lib/prodaccess
VOLUME /var/lib/prodaccess
EXPOSE 8443
HEALTHCHECK --interval=10s --timeout=3s \
  CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8443/healthz', timeout=2)"]
ENTRYPOINT ["prodaccess"]
CMD ["serve"]
