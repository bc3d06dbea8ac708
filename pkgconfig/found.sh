#!/bin/sh
# SPDX-License-Identifier: MIT
# The last step of an installation: do the system's loader and pkg-config find the library in its new place? The loader's
# list of files is renewed by ldconfig, which root may call. Staged installations (DESTDIR) are left alone: a package
# does that itself.
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
if ! runs && [ "$(id -u)" = 0 ] && command -v ldconfig >/dev/null 2>&1; then
    ldconfig 2>/dev/null || true
fi
runs || cat <<TEXT
The loader does not find libattractivenet yet, which lies in $libraries.
If /etc/ld.so.conf names that folder: run ldconfig as root.
If not: add it there and run ldconfig, or set LD_LIBRARY_PATH=$libraries
TEXT
if command -v pkg-config >/dev/null 2>&1 && ! pkg-config --exists attractivenet; then
    cat <<TEXT
pkg-config does not look in $libraries/pkgconfig: set PKG_CONFIG_PATH=$libraries/pkgconfig
TEXT
fi
