#!/bin/sh
# SPDX-License-Identifier: MIT
# Build for aarch64 and run the tests under qemu-user: kernels (levels neon and c), backend, units
# and the golden data that is at hand (AN_GOLDEN_DIR: all of it).
# usage: sh tests/port/aarch64.sh [BUILD [SUITE...]]
#     BUILD: where the sysroot and the build go, default build/aarch64; kept for the next run
#     SUITE: default kernels backend unit golden
# Needs (Debian): gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user-static mmdebstrap. Nothing is
# installed: the libraries of DEBIAN_SUITE (default bookworm) for arm64 are unpacked into the sysroot.
set -eu
cd "$(dirname "$0")/../.."
build=${1:-build/aarch64}
[ $# -gt 0 ] && shift
[ $# -gt 0 ] || set -- kernels backend unit golden
mkdir -p "$build"
build=$(cd "$build" && pwd)
root=$build/sysroot
libs=usr/lib/aarch64-linux-gnu

if [ ! -d "$root" ]; then
    rm -rf "$root.part"
    mmdebstrap --variant=extract --architectures=arm64 \
        --include=libc6-dev,libjpeg62-turbo-dev,libpng-dev,zlib1g-dev,libjansson-dev,libopenblas-dev \
        --include=libcmocka-dev,libzip-dev,libcurl4-openssl-dev,libhdf5-dev,libcairo2-dev \
        "${DEBIAN_SUITE:-bookworm}" "$root.part"
    # qemu looks for every file here first: only libraries are to be found.
    for entry in "$root.part"/* "$root.part"/usr/* "$root.part"/usr/share/*; do
        case ${entry#"$root.part/"} in
        lib | usr | usr/lib | usr/include | usr/share | usr/share/pkgconfig) ;;
        *) rm -rf "$entry" ;;
        esac
    done
    # What update-alternatives would have done.
    for name in libopenblas.so libopenblas.so.0 libopenblas.a; do
        ln -s "openblas-pthread/$name" "$root.part/$libs/$name"
    done
    ln -s ../openblas-pthread/pkgconfig/openblas.pc "$root.part/$libs/pkgconfig/openblas.pc"
    ln -s hdf5-serial.pc "$root.part/$libs/pkgconfig/hdf5.pc"
    mv "$root.part" "$root"
fi

cat >"$build/aarch64.ini" <<INI
[binaries]
c = 'aarch64-linux-gnu-gcc'
ar = 'aarch64-linux-gnu-ar'
strip = 'aarch64-linux-gnu-strip'
pkgconfig = 'pkg-config'
exe_wrapper = ['qemu-aarch64-static', '-L', '$root']
[built-in options]
c_args = ['--sysroot=$root']
c_link_args = ['--sysroot=$root']
[properties]
sys_root = '$root'
pkg_config_libdir = '$root/$libs/pkgconfig:$root/usr/share/pkgconfig'
[host_machine]
system = 'linux'
cpu_family = 'aarch64'
cpu = 'aarch64'
endian = 'little'
INI

if [ ! -f "$build/tree/build.ninja" ]; then
    meson setup "$build/tree" --cross-file "$build/aarch64.ini" -Doptimization=2 -Dtests=enabled -Dbench=disabled
fi
ninja -C "$build/tree"
suites=
for suite in "$@"; do
    suites="$suites --suite $suite"
done
# shellcheck disable=SC2086  # a list of words
meson test -C "$build/tree" --no-rebuild --timeout-multiplier 20 --print-errorlogs $suites
