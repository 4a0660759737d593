#!/bin/sh
# Write a container image's root file system as a tar on standard output: this computer's shell and what it needs.
# For places where no image can be pulled: `tools/tiny-image.sh | docker import - tiny`.
set -eu
programs="/bin/sh /bin/cat /bin/uname /bin/sleep"
libraries=$(for program in $programs; do ldd "$program" 2>/dev/null || true; done | grep -o '/[^ )]*' | sort -u)
# shellcheck disable=SC2086 # a list of paths without spaces
exec tar --create --dereference --absolute-names --transform 's,^/,,' $programs $libraries
