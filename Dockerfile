# The image: rtbeat, its licences and its configuration, and nothing else. There is no shell in it and no package to update;
# certificate authorities and time zones are in the binary.
#
# `make image` and goreleaser (dockers_v2) build it from a folder that has the files named here, and the binary of each
# platform under its name, as linux/amd64/rtbeat. Version, revision and time come as labels on the command line.
FROM scratch
ARG TARGETPLATFORM

LABEL org.opencontainers.image.title="rtbeat" \
      org.opencontainers.image.description="Takes JSON batches over HTTP and answers 200 once the output has acknowledged every event" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.source="https://github.com/txn2/rtbeat" \
      org.opencontainers.image.documentation="https://github.com/txn2/rtbeat/blob/main/docs/kubernetes.md" \
      org.opencontainers.image.base.name="scratch"

# libbeat does not start without one; these are the names that systemd has for "none in particular".
COPY --chmod=0644 deploy/image/os-release /etc/os-release
COPY --chmod=0644 LICENSE NOTICE /usr/share/doc/rtbeat/
COPY --chmod=0644 rtbeat.yml rtbeat.reference.yml /etc/rtbeat/
# The one place that is written to, an empty folder in the repository: by the user below, or by any other of group 0, as
# OpenShift has them.
COPY --chown=10001:0 --chmod=0775 deploy/image/var /var
COPY --chmod=0755 ${TARGETPLATFORM}/rtbeat /usr/bin/rtbeat

# The defaults of every command, also of one that `docker exec` or `kubectl exec` starts: those lack the arguments of ENTRYPOINT.
# The environment container sends the log to stderr. Mounted files belong to the user that the platform chooses.
ENV PATH=/usr/bin \
    BEAT_ENVIRONMENT=container \
    BEAT_PATH_HOME=/usr/share/rtbeat \
    BEAT_PATH_CONFIG=/etc/rtbeat \
    BEAT_PATH_DATA=/var/lib/rtbeat \
    BEAT_PATH_LOGS=/var/lib/rtbeat/logs \
    BEAT_STRICT_PERMS=false \
    LIBBEAT_MONITORING_CGROUPS_HIERARCHY_OVERRIDE=/

USER 10001:0
EXPOSE 8081/tcp
STOPSIGNAL SIGTERM
# Arguments follow: `test config`, or `-c` with another file below /etc/rtbeat.
ENTRYPOINT ["/usr/bin/rtbeat"]
