# SPDX-License-Identifier: MIT
# What a build needs, installed where it is missing. Read by run.sh here and by tests/run.sh:
#
#     . examples/packages.sh
#     need_packages build          # to build the library and the examples
#     need_packages live           # and its cameras, videos and windows
#     need_packages build tests    # and to run the tests
#
# On Debian and Ubuntu the missing packages are installed through apt, as root or with sudo. Elsewhere a
# message names what is missing.

packages_apt=''     # missing, by their names in Debian and Ubuntu
packages_words=''   # missing, in words, a line each

want_command() { # COMMAND PACKAGE WORDS
    command -v "$1" >/dev/null 2>&1 && return 0
    packages_apt="$packages_apt $2"
    packages_words="$packages_words
  $3 ($1)"
}

want_library() { # PKG-CONFIG-NAME PACKAGE WORDS
    pkg-config --exists "$1" >/dev/null 2>&1 && return 0
    packages_apt="$packages_apt $2"
    packages_words="$packages_words
  $3 (pkg-config name: $1)"
}

# A compiler without the C library's headers compiles nothing.
want_c_headers() {
    printf '#include <stdlib.h>\n' | cc -E - >/dev/null 2>&1 && return 0
    packages_apt="$packages_apt libc6-dev"
    packages_words="$packages_words
  headers of the C library"
}

want_python() { # MODULES PACKAGE WORDS
    python3 -c "import $1" >/dev/null 2>&1 && return 0
    packages_apt="$packages_apt $2"
    packages_words="$packages_words
  $3 (modules $1)"
}

want_python_headers() {
    python3 -c 'import os, sysconfig; open(os.path.join(sysconfig.get_paths()["include"], "Python.h"))' \
        >/dev/null 2>&1 && return 0
    packages_apt="$packages_apt python3-dev"
    packages_words="$packages_words
  headers of Python 3: the Python package"
}

# The tests have a Python of their own choice; this server needs the system's.
want_rtsp_server() {
    for python in python3 /usr/bin/python3; do
        "$python" -c 'import gi; gi.require_version("GstRtspServer", "1.0")' >/dev/null 2>&1 && return 0
    done
    packages_apt="$packages_apt gir1.2-gst-rtsp-server-1.0 python3-gi gstreamer1.0-plugins-good"
    packages_words="$packages_words
  GStreamer's RTSP server with Python's gi: a stream for tests"
}

look_for_packages() { # build [live] [tests]
    packages_apt=''
    packages_words=''
    for group in "$@"; do
        case $group in
        build)
            want_command cc gcc 'a C compiler'
            want_c_headers
            want_command pkg-config pkg-config 'pkg-config'
            want_command meson meson 'Meson, 1.0 or later'
            want_command ninja ninja-build 'Ninja'
            want_library libzip libzip-dev 'libzip: archives'
            want_library libpng libpng-dev 'libpng: PNG images'
            want_library libjpeg libjpeg-dev 'libjpeg-turbo: JPEG images'
            want_library jansson libjansson-dev 'jansson: JSON'
            want_library zlib zlib1g-dev 'zlib'
            want_library openblas libopenblas-dev 'OpenBLAS: matrix products'
            want_library libcurl libcurl4-openssl-dev 'libcurl: downloads'
            want_library cairo libcairo2-dev 'cairo: plots'
            ;;
        live)
            want_library libavdevice libavdevice-dev 'FFmpeg: cameras'
            want_library libavformat libavformat-dev 'FFmpeg: videos and streams'
            want_library libavcodec libavcodec-dev 'FFmpeg: codecs'
            want_library libswscale libswscale-dev 'FFmpeg: colours'
            want_library sdl2 libsdl2-dev 'SDL2: windows'
            ;;
        tests)
            want_command Xvfb xvfb 'Xvfb: a display for tests'
            want_command xdotool xdotool 'xdotool: keys'
            want_command openbox openbox 'openbox: a window manager'
            want_rtsp_server
            want_command gcc gcc 'the GNU C compiler, for sanitizers'
            want_command g++ g++ 'the GNU C++ compiler: a user in C++'
            want_command clang clang 'clang: the second compiler'
            want_command clang-format clang-format 'clang-format: the look of the source'
            want_command cmake cmake 'CMake: a user with CMake'
            want_command go golang-go 'Go: the package in bindings/go'
            want_command go-staticcheck go-staticcheck 'staticcheck: the look of the Go package'
            want_command bindgen bindgen 'bindgen: the headers as other languages read them'
            want_command python3 python3 'Python 3'
            want_python 'venv, ensurepip' python3-venv "Python's virtual environments: tests of the Python package"
            want_python_headers
            want_command doxygen doxygen 'Doxygen: the reference of the API'
            want_command h5cc libhdf5-dev 'HDF5: tests make Keras files with it'
            want_library cmocka libcmocka-dev 'cmocka: unit tests'
            want_library ompi-c libopenmpi-dev 'Open MPI: replicas in several processes'
            want_command mpirun openmpi-bin 'the launcher of Open MPI'
            want_library mpich libmpich-dev 'MPICH: replicas in several processes'
            want_command mpiexec.hydra mpich 'the launcher of MPICH'
            want_command ip iproute2 'iproute2: namespaces as hosts'
            # Ubuntu has it only as a snap; the test skips what needs it.
            if grep -q '^ID=debian' /etc/os-release 2>/dev/null; then
                want_command chromium chromium 'Chromium: looks at a report'
            fi
            ;;
        esac
    done
}

need_packages() { # build [live] [tests]
    look_for_packages "$@"
    [ -n "$packages_words" ] || return 0
    if ! command -v apt-get >/dev/null 2>&1; then
        printf 'Please install what is missing here, with headers ("-dev" or "-devel" packages):%s\n' \
            "$packages_words" >&2
        return 1
    fi
    packages_root=''
    if [ "$(id -u)" != 0 ]; then
        packages_root='sudo -n'
        [ -t 0 ] && packages_root='sudo'
        if ! command -v sudo >/dev/null 2>&1 || ! $packages_root true; then
            printf 'Please install what is missing here, as root:\n  apt-get install%s\n' \
                "$packages_apt" >&2
            return 1
        fi
    fi
    printf 'installing:%s\n' "$packages_apt"
    packages_log=$(mktemp)
    # shellcheck disable=SC2086  # a list of words
    if ! { $packages_root apt-get update &&
           $packages_root env DEBIAN_FRONTEND=noninteractive \
               apt-get install -y --no-install-recommends $packages_apt; } >"$packages_log" 2>&1; then
        cat "$packages_log" >&2
        rm -f "$packages_log"
        printf 'apt-get could not install:%s\n' "$packages_apt" >&2
        return 1
    fi
    rm -f "$packages_log"
    look_for_packages "$@"
    if [ -n "$packages_words" ]; then
        printf 'Still missing after the installation:%s\n' "$packages_words" >&2
        return 1
    fi
}
