# Runs in a guest, on the machine's own file system: sets up the network and a SoftRoCE device on it, runs the command,
# and leaves output, exit code and the device's counters in /lab, which the guests and the machine share.
# Given by /lab/settings: GUESTS, NETEM, FOLDER (where to run), MODULES (the kernel's).
. /lab/settings
GUEST=$(sed -n 's/.*lab\.guest=\([0-9]\).*/\1/p' /proc/cmdline)
IP=10.77.0.$((GUEST + 1)) PEER=10.77.0.$(((GUEST + 1) % GUESTS + 1))
DEVICE=rxe0 INTERFACE=eth0

leave() {
  sync
  echo o >/proc/sysrq-trigger
  sleep 100
}
fail() {
  echo "verbs lab: guest $GUEST: $*" >>/lab/stderr.$GUEST
  echo 125 >/lab/exit.$GUEST
  leave
}
# How often this guest has started: tests may reset it.
BOOT=$(($(cat /lab/boot.$GUEST 2>/dev/null || echo 0) + 1))
echo $BOOT >/lab/boot.$GUEST
[ $BOOT -le 2 ] || fail "started $BOOT times: see its console"
counters() {
  grep -H . /sys/class/infiniband/$DEVICE/ports/1/hw_counters/* 2>/dev/null | sed 's#.*/##' >/lab/counters.$1.$GUEST
}

export PATH=/lab/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root
mkdir -p /dev/pts /dev/shm /run /lib/modules
mount -t devpts devpts /dev/pts
mount -t tmpfs shm /dev/shm
mount -t tmpfs run /run
ln -sfn /proc/self/fd /dev/fd
mount --bind "$MODULES" /lib/modules || fail "no kernel modules"
hostname "guest$GUEST"
printf '127.0.0.1 localhost\n::1 localhost\n10.77.0.1 guest0\n10.77.0.2 guest1\n' >/etc/hosts
modprobe virtio_net || fail "no virtio_net"
modprobe virtio_rng 2>/dev/null
ip link set lo up
ip addr add $IP/24 dev $INTERFACE && ip link set $INTERFACE up || fail "no $INTERFACE"
ulimit -l unlimited
ulimit -n 65536
for module in ib_uverbs rdma_ucm rdma_rxe; do modprobe $module || fail "no kernel module $module"; done
rdma link add $DEVICE type rxe netdev $INTERFACE || fail "rdma link add"
state=/sys/class/infiniband/$DEVICE/ports/1/state
for ((try = 0; try < 200; try++)); do grep -q ACTIVE $state 2>/dev/null && break; sleep .05; done
grep -q ACTIVE $state || fail "$DEVICE does not become active"
# An address that is being checked for duplicates cannot be bound to.
for ((try = 0; try < 60; try++)); do ip -6 addr show dev $INTERFACE | grep -q tentative || break; sleep .1; done
export GUEST GUESTS BOOT IP PEER DEVICE INTERFACE NETEM
lab-barrier up || fail "the other guest did not come up"
if [ "$GUESTS" = 2 ]; then
  for ((try = 0; try < 100; try++)); do ping -c1 -W1 $PEER >/dev/null 2>&1 && break; done
fi
modprobe sch_netem || fail "no sch_netem"
if [ -n "$NETEM" ]; then
  tc qdisc add dev $INTERFACE root netem limit 10000 $NETEM || fail "tc netem $NETEM"
fi
counters before
(
  cd "$FOLDER" && . /lab/environment && exec setsid bash /lab/command
) </dev/null >>/lab/stdout.$GUEST 2>>/lab/stderr.$GUEST
code=$?
counters after
dmesg >/lab/dmesg.$GUEST
echo $code >/lab/exit.new.$GUEST
mv /lab/exit.new.$GUEST /lab/exit.$GUEST
lab-barrier done
leave
