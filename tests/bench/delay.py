# SPDX-License-Identifier: MPL-2.0
"""A path between two network namespaces that takes time: two TUN devices and what is on its way.

Usage: delay.py NAMESPACE-A NAMESPACE-B MILLISECONDS-ONE-WAY [LOSS]
Prints "ready" when both devices (tun0, 10.98.0.1 and 10.98.0.2) are up. This kernel may have no netem.
"""
import collections
import ctypes
import fcntl
import os
import random
import select
import struct
import subprocess
import sys
import time

TUNSETIFF, IFF_TUN, IFF_NO_PI, CLONE_NEWNET = 0x400454CA, 0x0001, 0x1000, 0x40000000
QUEUE = 20_000


def device(namespace, own, other):
    """A TUN device of that namespace, opened from here."""
    libc = ctypes.CDLL(None, use_errno=True)
    home = os.open("/proc/self/ns/net", os.O_RDONLY)
    there = os.open(f"/run/netns/{namespace}", os.O_RDONLY)
    assert libc.setns(there, CLONE_NEWNET) == 0
    fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH", b"tun0", IFF_TUN | IFF_NO_PI))
    assert libc.setns(home, CLONE_NEWNET) == 0
    for words in (f"addr add {own} peer {other} dev tun0", f"link set tun0 up mtu 1500 txqueuelen {QUEUE}", "link set lo up", "route replace default dev tun0"):
        subprocess.run(["ip", "-n", namespace, *words.split()], check=True)
    return fd


def main():
    a, b, delay = sys.argv[1], sys.argv[2], float(sys.argv[3]) / 1000
    loss = float(sys.argv[4]) if len(sys.argv) > 4 else 0.0
    ends = [device(a, "10.98.0.1", "10.98.0.2"), device(b, "10.98.0.2", "10.98.0.1")]
    print("ready", flush=True)
    other = {ends[0]: ends[1], ends[1]: ends[0]}
    way = collections.deque()
    clock, read, write = time.monotonic, os.read, os.write
    while True:
        wait = max(0.0, way[0][0] - clock()) if way else 1.0
        ready, _, _ = select.select(ends, [], [], wait)
        for end in ready:
            target = other[end]
            try:
                for _ in range(64):
                    packet = read(end, 2048)
                    if not loss or random.random() >= loss:
                        way.append((clock() + delay, target, packet))
            except BlockingIOError:
                pass
        now = clock()
        while way and way[0][0] <= now:
            _, target, packet = way.popleft()
            try:
                write(target, packet)
            except OSError:
                pass


main()
