#!/bin/sh
# SPDX-License-Identifier: MIT
# Build everything statically and run the tests: with musl and with glibc.
# usage: sh tests/port/static.sh [BUILD [LIBC...]]
#     BUILD: default build/static, kept for the next run; LIBC: musl glibc, default both
#     SUITES: which to run, default "unit kernels backend golden"
# Needs (Debian): musl-tools cmake. The libraries are built from Debian's sources (DEBIAN_SUITE,
# default bookworm) below BUILD; without curl, cairo, libhdf5 and OpenBLAS.
set -eu
cd "$(dirname "$0")/../.."
build=${1:-build/static}
[ $# -gt 0 ] && shift
[ $# -gt 0 ] || set -- musl glibc
mkdir -p "$build"
build=$(cd "$build" && pwd)
project=$PWD
suites=
for suite in ${SUITES:-unit kernels backend golden}; do
    suites="$suites --suite $suite"
done

if [ ! -d "$build/source" ]; then
    rm -rf "$build/source.part"
    apt=$build/apt
    mkdir -p "$build/source.part" "$apt/lists/partial" "$apt/cache/archives/partial"
    echo "deb-src [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]" \
        "${DEBIAN_MIRROR:-http://deb.debian.org/debian} ${DEBIAN_SUITE:-bookworm} main" >"$apt/sources.list"
    options="-o Dir::Etc::SourceList=$apt/sources.list -o Dir::Etc::SourceParts=/dev/null"
    options="$options -o Dir::State::Lists=$apt/lists -o Dir::Cache=$apt/cache"
    # shellcheck disable=SC2086  # a list of words
    (cd "$build/source.part" && apt-get $options update -qq &&
        apt-get $options source --download-only -qq zlib libpng1.6 libjpeg-turbo jansson libzip cmocka)
    for archive in "$build"/source.part/*.orig.tar.*; do
        case $archive in *.asc) continue ;; esac
        name=${archive##*/}
        mkdir "$build/source.part/${name%%_*}"
        tar -xf "$archive" -C "$build/source.part/${name%%_*}" --strip-components=1
    done
    mv "$build/source.part" "$build/source"
fi

# with_cmake FOLDER OPTION...: build a library and install it into the prefix.
with_cmake() {
    folder=$1
    shift
    cmake -S "$build/source/$folder" -B "$prefix/../$folder" -DCMAKE_BUILD_TYPE=Release -DCMAKE_C_COMPILER="$cc" \
        -DCMAKE_INSTALL_PREFIX="$prefix" -DCMAKE_INSTALL_LIBDIR=lib -DCMAKE_FIND_ROOT_PATH="$prefix" \
        -DCMAKE_FIND_ROOT_PATH_MODE_LIBRARY=ONLY -DCMAKE_FIND_ROOT_PATH_MODE_INCLUDE=ONLY \
        -DBUILD_SHARED_LIBS=OFF -DCMAKE_POSITION_INDEPENDENT_CODE=ON "$@" &&
        cmake --build "$prefix/../$folder" -j "$(nproc)" && cmake --install "$prefix/../$folder"
}

with_configure() {
    (cd "$build/source/$1" && CC="$cc" CFLAGS='-O2 -fPIC' ./configure --static --prefix="$prefix" &&
        make -j "$(nproc)" libz.a && make install)
}

libraries() {
    with_configure zlib &&
        with_cmake libpng1.6 -DPNG_SHARED=OFF -DPNG_TESTS=OFF -DPNG_EXECUTABLES=OFF &&
        with_cmake libjpeg-turbo -DENABLE_SHARED=OFF -DWITH_TURBOJPEG=OFF -DWITH_SIMD=OFF \
            -DCMAKE_INSTALL_LIBDIR:PATH="$prefix/lib" &&
        with_cmake jansson -DJANSSON_BUILD_DOCS=OFF -DJANSSON_EXAMPLES=OFF -DJANSSON_WITHOUT_TESTS=ON &&
        with_cmake libzip -DENABLE_BZIP2=OFF -DENABLE_LZMA=OFF -DENABLE_ZSTD=OFF -DENABLE_OPENSSL=OFF \
            -DENABLE_GNUTLS=OFF -DENABLE_MBEDTLS=OFF -DBUILD_TOOLS=OFF -DBUILD_REGRESS=OFF \
            -DBUILD_EXAMPLES=OFF -DBUILD_DOC=OFF &&
        with_cmake cmocka -DWITH_STATIC_LIB=ON -DWITH_EXAMPLES=OFF &&
        mv "$prefix/lib/libcmocka-static.a" "$prefix/lib/libcmocka.a"
}

failed=0
for libc in "$@"; do
    case $libc in
    musl) cc=musl-gcc ;;
    glibc) cc=gcc ;;
    *) echo "static.sh: '$libc' is not musl or glibc" >&2 && exit 2 ;;
    esac
    prefix=$build/$libc/prefix
    if [ ! -d "$build/$libc/done" ]; then
        mkdir -p "$prefix"
        libraries >"$build/$libc.log" 2>&1 || { tail -n 30 "$build/$libc.log" && exit 1; }
        mkdir "$build/$libc/done"
    fi
    if [ ! -f "$build/$libc/tree/build.ninja" ]; then
        CC=$cc PKG_CONFIG_LIBDIR="$prefix/lib/pkgconfig:$prefix/share/pkgconfig" meson setup \
            "$build/$libc/tree" "$project" -Ddefault_library=static -Dprefer_static=true -Dc_link_args=-static \
            -Doptimization=2 -Dtests=enabled -Dbench=disabled -Dcurl=disabled -Dplot=disabled -Dhdf5=disabled -Dblas=disabled
    fi
    ninja -C "$build/$libc/tree"
    file "$build/$libc/tree/examples/predict"
    ls -l "$build/$libc/tree/examples/predict"
    # shellcheck disable=SC2086  # a list of words
    meson test -C "$build/$libc/tree" --no-rebuild --timeout-multiplier 10 --print-errorlogs $suites || failed=1
done
exit $failed
