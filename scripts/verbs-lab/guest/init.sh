#!/bin/busybox sh
# The first process of a guest: mounts the machine's own file system, read-only, with a layer in memory on top of it, so
# that the guest has the same programs, libraries and build at the same paths, and goes on with start.sh in there.
bb=/bin/busybox
$bb mount -t proc proc /proc
$bb mount -t sysfs sys /sys
$bb mount -t devtmpfs dev /dev
for module in /modules/*; do $bb insmod "$module" || echo "verbs lab: insmod $module failed"; done
$bb mount -t 9p -o trans=virtio,version=9p2000.L,ro,cache=loose,msize=512000 root /ro || exec $bb poweroff -f
$bb mount -t tmpfs -o size=50% memory /rw
$bb mkdir /rw/upper /rw/work
$bb mount -t overlay -o lowerdir=/ro,upperdir=/rw/upper,workdir=/rw/work overlay /new || exec $bb poweroff -f
$bb mkdir -p /new/lab
$bb mount -t 9p -o trans=virtio,version=9p2000.L,cache=none,msize=512000 lab /new/lab || exec $bb poweroff -f
for folder in proc sys dev; do $bb mount --move /$folder /new/$folder; done
exec $bb switch_root /new /bin/bash /lab/start.sh
