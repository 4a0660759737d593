#!/bin/sh
# The main job, for real: a machine is made, used through TLS, shown, and removed without a trace.
set -eu
cd "$(dirname "$0")/.."
PATH="$PWD/.venv/bin:$PATH"
# A home of its own, so that nothing of yours is touched, and so that "nothing is left" can be checked.
work=$(mktemp -d)
export MCTL_HOME="$work/home" DOCKER_CONFIG="$work/docker"

say() { printf '\n\033[1m==> %s\033[0m\n' "$*"; }
clean() {
    status=$?
    if [ -d "$MCTL_HOME/machines/demo" ] || [ -f "$MCTL_HOME/Pulumi.demo.yaml" ]; then mctl rm -y demo || true; fi
    rm -rf "$work"
    exit $status
}
trap clean EXIT INT TERM

say "mctl create demo"
mctl create demo

say "mctl ls"
mctl ls

say "docker --context demo version: the engine answers through TLS, with the client certificate that mctl made"
docker --context demo version --format 'server {{.Server.Version}} on {{.Server.Os}}/{{.Server.Arch}}'

say "a container on it: an image made here, sent through TLS, and run there"
tools/tiny-image.sh | docker --context demo import - tiny >/dev/null
docker --context demo run --rm --hostname a-container tiny /bin/sh -c 'echo "hello from $(uname -n), Linux $(uname -r)"'

say "the same through the environment: eval \$(mctl env demo)"
eval "$(mctl env demo 2>/dev/null)"
docker images --format '{{.Repository}} {{.Size}}'
unset DOCKER_HOST DOCKER_TLS_VERIFY DOCKER_CERT_PATH DOCKER_MACHINE_NAME

say "without a certificate it answers nobody"
if curl --silent --show-error --insecure --max-time 20 "$(mctl url demo | sed s,^tcp,https,)/version"; then exit 1; fi

say "mctl rm -y demo"
mctl rm -y demo

say "what is left"
left=$(find "$MCTL_HOME/machines" "$MCTL_HOME/vms" "$MCTL_HOME/state/.pulumi/stacks" "$MCTL_HOME/state/.pulumi/backups" \
    "$MCTL_HOME/state/.pulumi/locks" "$DOCKER_CONFIG/contexts" -type f 2>/dev/null || true)
running=$(pgrep -f "$MCTL_HOME" || true)
if [ -n "$left$running" ]; then
    echo "still there: $left $running"
    exit 1
fi
echo "nothing: no machine, no VM, no process, no stack, no context"
