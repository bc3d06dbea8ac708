#!/bin/sh
# SPDX-License-Identifier: MIT
# Cross-build with Debian's compiler and run tests under qemu-user: shared by aarch64.sh and ppc64le.sh.
# usage: sh tests/port/cross.sh BUILD DEBIAN GNU FAMILY SUITE...
#     BUILD: where the sysroot and the build go, kept for the next run; DEBIAN, GNU, FAMILY: what Debian,
#     the GNU tools and Meson call the processor
# Nothing is installed: the libraries of DEBIAN_SUITE (default bookworm) at DEBIAN_MIRROR are unpacked into
# the sysroot.
set -eu
cd "$(dirname "$0")/../.."
build=$1
debian=$2
gnu=$3
family=$4
qemu=qemu-$(printf '%s' "$gnu" | sed 's,powerpc,ppc,')-static
shift 4
mkdir -p "$build"
build=$(cd "$build" && pwd)
root=$build/sysroot
libs=usr/lib/$gnu-linux-gnu

if [ ! -d "$root" ]; then
    rm -rf "$root.part"
    mmdebstrap --variant=extract --architectures="$debian" \
        --include=libc6-dev,libjpeg62-turbo-dev,libpng-dev,zlib1g-dev,libjansson-dev,libopenblas-dev \
        --include=libcmocka-dev,libzip-dev,libcurl4-openssl-dev,libhdf5-dev,libcairo2-dev \
        "${DEBIAN_SUITE:-bookworm}" "$root.part" "${DEBIAN_MIRROR:-http://deb.debian.org/debian}"
    # qemu looks for every file here first: it should find only libraries.
    for entry in "$root.part"/* "$root.part"/usr/* "$root.part"/usr/share/*; do
        case ${entry#"$root.part/"} in
        lib* | usr | usr/lib* | usr/include | usr/share | usr/share/pkgconfig) ;;
        *) rm -rf "$entry" ;;
        esac
    done
    # The loader of some processors is a link from the root, which here is the sysroot.
    for entry in "$root.part"/lib64/*; do
        [ -L "$entry" ] || continue
        target=$(readlink "$entry")
        case $target in /*) ln -sfn "..$target" "$entry" ;; esac
    done
    # What update-alternatives would have done.
    for name in libopenblas.so libopenblas.so.0 libopenblas.a; do
        ln -s "openblas-pthread/$name" "$root.part/$libs/$name"
    done
    ln -s ../openblas-pthread/pkgconfig/openblas.pc "$root.part/$libs/pkgconfig/openblas.pc"
    ln -s hdf5-serial.pc "$root.part/$libs/pkgconfig/hdf5.pc"
    mv "$root.part" "$root"
fi

cat >"$build/cross.ini" <<INI
[binaries]
c = '$gnu-linux-gnu-gcc'
ar = '$gnu-linux-gnu-ar'
strip = '$gnu-linux-gnu-strip'
pkgconfig = 'pkg-config'
exe_wrapper = ['$qemu', '-L', '$root']
[built-in options]
c_args = ['--sysroot=$root']
c_link_args = ['--sysroot=$root']
[properties]
sys_root = '$root'
pkg_config_libdir = '$root/$libs/pkgconfig:$root/usr/share/pkgconfig'
[host_machine]
system = 'linux'
cpu_family = '$family'
cpu = '$gnu'
endian = 'little'
INI

if [ ! -f "$build/tree/build.ninja" ]; then
    meson setup "$build/tree" --cross-file "$build/cross.ini" -Doptimization=2 -Dtests=enabled -Dbench=disabled
fi
ninja -C "$build/tree"
suites=
for suite in "$@"; do
    suites="$suites --suite $suite"
done
# shellcheck disable=SC2086  # a list of words
meson test -C "$build/tree" --no-rebuild --timeout-multiplier 20 --print-errorlogs $suites
