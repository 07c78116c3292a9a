#!/bin/sh
# Proves the README's two commands on a Debian 12 that holds nothing but git: a debootstrap chroot, a fresh clone of this
# repository, then ./run test and ./run demo in it. Needs root, debootstrap, about 4 GB and the Debian archive.
#
# Usage: tools/chroot_check.sh [--keep] DIRECTORY        DIRECTORY must not exist yet
set -eu

keep=
if [ "${1:-}" = --keep ]; then keep=1; shift; fi
[ $# -eq 1 ] || { echo "usage: tools/chroot_check.sh [--keep] DIRECTORY" >&2; exit 2; }
root=$1
[ ! -e "$root" ] || { echo "chroot_check: $root exists" >&2; exit 1; }
repository=$(cd "$(dirname "$0")/.." && pwd)

leave() {
  for mounted in proc sys dev; do umount -l "$root/$mounted" 2>/dev/null || true; done
  [ -n "$keep" ] || rm -rf --one-file-system "$root"
}
trap leave EXIT

debootstrap --variant=minbase --include=git,ca-certificates bookworm "$root" >/dev/null
for mounted in proc sys dev; do mount --rbind "/$mounted" "$root/$mounted"; done
cp /etc/resolv.conf "$root/etc/resolv.conf"
# How this machine reaches the Debian archive, if it does so in a way of its own.
cp -r /etc/apt/apt.conf.d/. "$root/etc/apt/apt.conf.d/"
cp /etc/apt/sources.list.d/debian.sources "$root/etc/apt/sources.list.d/" 2>/dev/null && : >"$root/etc/apt/sources.list"

git clone -q --no-hardlinks "$repository" "$root/eyrie"
for command in "demo" "test"; do
  echo "== ./run $command"
  chroot "$root" env -i HOME=/root TERM=dumb PATH=/usr/sbin:/usr/bin:/sbin:/bin sh -c "cd /eyrie && ./run $command"
done
echo "chroot_check: both commands passed"
