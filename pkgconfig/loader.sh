#!/bin/sh
# SPDX-License-Identifier: MIT
# The last step of an installation: does the system's loader find the library where it lies now? Its list of files is
# renewed by ldconfig, which root may call. Staged installations (DESTDIR) are left alone: a package does that itself.
set -eu
[ -z "${DESTDIR:-}" ] || exit 0
inside_prefix() { # FOLDER, absolute or in the prefix
    case $1 in
    /*) printf '%s' "$1" ;;
    *) printf '%s/%s' "$MESON_INSTALL_PREFIX" "$1" ;;
    esac
}
program=$(inside_prefix "$1")/attractivenet
libraries=$(inside_prefix "$2")
unset LD_LIBRARY_PATH
PATH=$PATH:/usr/sbin:/sbin

runs() {
    "$program" --version >/dev/null 2>&1
}
runs && exit 0
if [ "$(id -u)" = 0 ] && command -v ldconfig >/dev/null 2>&1; then
    ldconfig 2>/dev/null || true
    runs && exit 0
fi
cat <<TEXT
The loader does not find libattractivenet yet, which lies in $libraries.
If /etc/ld.so.conf names that folder: run ldconfig as root.
If not: add it there and run ldconfig, or set LD_LIBRARY_PATH=$libraries
TEXT
