#!/bin/sh
# SPDX-License-Identifier: MIT
# Run the compiled level avx512 on a processor without AVX-512: Bochs emulates a
# Skylake-X, boots Debian's kernel with an initramfs of test programs, and runs them with AN_CPU=avx512.
# usage: sh tests/port/bochs.sh [BUILD [PROGRAM...]]
#     BUILD: default build/bochs
#     PROGRAM: paths below BUILD/tree, default tests/kernels/test_kernels_levels (a minute);
#              tests/backend/test_backend_units takes half an hour
#     CC: the compiler; BOCHS_LIMIT: in seconds, default 3600
# Needs (Debian): bochs bochs-term bochsbios vgabios isolinux syslinux-common xorriso busybox-static
# cpio. The kernel is unpacked below BUILD, not installed.
set -eu
cd "$(dirname "$0")/../.."
build=${1:-build/bochs}
[ $# -gt 0 ] && shift
[ $# -gt 0 ] || set -- tests/kernels/test_kernels_levels
mkdir -p "$build"
build=$(cd "$build" && pwd)

if [ ! -f "$build/tree/build.ninja" ]; then
    meson setup "$build/tree" -Doptimization=2 -Dtests=enabled -Dbench=disabled -Dexamples=disabled
fi
ninja -C "$build/tree" "$@"

if [ ! -d "$build/kernel" ]; then
    package=$(apt-cache depends linux-image-cloud-amd64 | sed -n 's/.*Depends: //p' | head -n 1)
    (cd "$build" && apt-get download "$package")
    dpkg -x "$build/$package"_*.deb "$build/kernel"
fi

# The initramfs: programs, the libraries they need, and a shell that runs them one after another.
root=$build/initramfs
rm -rf "$root"
mkdir -p "$root/bin" "$root/dev" "$root/proc" "$root/tmp"
cp /bin/busybox "$root/bin/busybox"
cat >"$root/init" <<'INIT'
#!/bin/busybox sh
/bin/busybox mount -t devtmpfs dev /dev
/bin/busybox mount -t proc proc /proc
exec </dev/null >/dev/ttyS0 2>&1
export AN_CPU=avx512 TMPDIR=/tmp
/bin/busybox grep -m 1 -o 'model name.*' /proc/cpuinfo
/bin/busybox grep -m 1 flags /proc/cpuinfo | /bin/busybox tr ' ' '\n' | /bin/busybox grep -E 'fma|avx|xsave|bmi'
for program in /test/*; do
    "$program"
    echo "bochs: ${program#/test/}: exit status $?"
done
/bin/busybox sleep 2 # until the console is written
/bin/busybox poweroff -f
INIT
chmod +x "$root/init"
mkdir "$root/test"
for program in "$@"; do
    cp "$build/tree/$program" "$root/test/"
    strip --strip-debug "$root/test/${program##*/}"
    ldd "$build/tree/$program" | sed -n 's/^[^/]*\(\/[^ ]*\).*/\1/p' | while read -r library; do
        mkdir -p "$root${library%/*}"
        cp -L "$library" "$root$library"
    done
done
# Where the loader searches without a cache.
find "$root" -name '*.so*' ! -name 'ld-linux*' -exec sh -c \
    'mkdir -p "$1/lib/x86_64-linux-gnu"; [ -e "$1/lib/x86_64-linux-gnu/${2##*/}" ] || mv "$2" "$1/lib/x86_64-linux-gnu/"' \
    sh "$root" {} \;

cd_root=$build/cd
rm -rf "$cd_root"
mkdir -p "$cd_root/isolinux"
cp /usr/lib/ISOLINUX/isolinux.bin /usr/lib/syslinux/modules/bios/ldlinux.c32 "$cd_root/isolinux/"
cp "$build"/kernel/boot/vmlinuz-* "$cd_root/vmlinuz"
(cd "$root" && find . | cpio -o -H newc -R 0:0 --quiet) >"$cd_root/initrd"
# Compacted states in Bochs 2.7 do not have the size that Linux computes, so it would disable AVX.
cat >"$cd_root/isolinux/isolinux.cfg" <<'CFG'
default test
label test
  kernel /vmlinuz
  append initrd=/initrd console=ttyS0 quiet mitigations=off nokaslr clearcpuid=xsaves,xsavec
CFG
xorriso -as mkisofs -quiet -o "$build/cd.iso" -b isolinux/isolinux.bin -c isolinux/boot.cat \
    -no-emul-boot -boot-load-size 4 -boot-info-table "$cd_root"

cat >"$build/bochsrc" <<RC
cpu: model=corei7_skylake_x, count=1, ips=50000000
memory: guest=1024, host=1024
romimage: file=/usr/share/bochs/BIOS-bochs-latest
vgaromimage: file=/usr/share/bochs/VGABIOS-lgpl-latest
ata0-master: type=cdrom, path="$build/cd.iso", status=inserted
boot: cdrom
com1: enabled=1, mode=file, dev="$build/console"
plugin_ctrl: serial=1
log: $build/bochs.log
display_library: term
RC
# Debian's Bochs starts in its debugger, which is told to continue.
echo c >"$build/go"
rm -f "$build/console"
cat >"$build/start" <<START
exec timeout "${BOCHS_LIMIT:-3600}" bochs -q -f "$build/bochsrc" -rc "$build/go"
START
TERM=vt100 script -q -c "sh '$build/start'" /dev/null >/dev/null </dev/null || true

sed -n '/^model name/,$p' "$build/console"
[ "$(grep -c ': exit status 0' "$build/console")" -eq $# ] && grep -q '^avx512f' "$build/console"
