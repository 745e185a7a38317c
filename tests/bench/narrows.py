# SPDX-License-Identifier: MPL-2.0
"""A narrow link between two network namespaces: rate, queue, delay and loss by a schedule.

narrows.py NEAR FAR PLAN: each namespace gets a device `narrows` (10.98.0.1 and 10.98.0.2). PLAN is JSON:
rates ([[second, bit/s], ...]), queue_ms, delay_ms (one way, both ways), loss (0-1), seconds. What goes from
NEAR to FAR passes the bottleneck; time counts from its first packet above 600 bytes. After the last second
a line `report: {...}` is printed; the link stays until the program is ended.
"""
import fcntl
import heapq
import json
import os
import random
import select
import struct
import subprocess
import sys
import time
from collections import deque

TUNSETIFF = 0x400454CA
IFF_TUN, IFF_NO_PI = 0x0001, 0x1000
LARGE = 600
BIN = 0.1


def device(namespace, address):
    name = f"nw{os.getpid()}{'b' if address.endswith('2') else 'a'}"[-15:]
    file = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(file, TUNSETIFF, struct.pack("16sH", name.encode(), IFF_TUN | IFF_NO_PI))
    run = lambda *words: subprocess.run(["ip", *words], check=True)
    run("link", "set", name, "netns", namespace)
    run("-n", namespace, "link", "set", name, "name", "narrows")
    run("-n", namespace, "addr", "add", f"{address}/24", "dev", "narrows")
    run("-n", namespace, "link", "set", "narrows", "up")
    run("-n", namespace, "link", "set", "lo", "up")
    run("-n", namespace, "route", "add", "default", "dev", "narrows")
    return file


class Link:
    def __init__(self, near, far, plan):
        self.near, self.far, self.plan = near, far, plan
        self.queue = deque()  # (arrival, packet)
        self.queued = 0
        self.done = 0.0  # when the bottleneck has sent what it is at
        self.flying = []  # (time, number, file, packet)
        self.number = 0
        self.began = None
        self.offered, self.carried = {}, {}
        self.waits = []
        self.sent = self.dropped = 0
        self.random = random.Random(plan.get("seed", 1))

    def rate(self, now):
        since = now - self.began if self.began is not None else 0.0
        rate = self.plan["rates"][0][1]
        for second, value in self.plan["rates"]:
            if since >= second:
                rate = value
        return rate

    def note(self, bins, now, size):
        if self.began is not None:
            index = int((now - self.began) / BIN)
            bins[index] = bins.get(index, 0) + size

    def fly(self, at, file, packet):
        self.number += 1
        heapq.heappush(self.flying, (at + self.plan["delay_ms"] / 1e3, self.number, file, packet))

    def enter(self, packet, now):
        if self.began is None and len(packet) > LARGE:
            self.began = now
        self.note(self.offered, now, len(packet))
        self.sent += 1
        if self.random.random() < self.plan.get("loss", 0.0):
            self.dropped += 1
            return
        self.serve(now)
        if self.queued * 8 / self.rate(now) * 1e3 > self.plan["queue_ms"]:
            self.dropped += 1
            return
        self.queue.append((now, packet))
        self.queued += len(packet)
        self.serve(now)

    def serve(self, now):
        """Everything the bottleneck has begun to send by now."""
        while self.queue and max(self.done, self.queue[0][0]) <= now:
            arrival, packet = self.queue.popleft()
            self.queued -= len(packet)
            begins = max(self.done, arrival)
            self.done = begins + len(packet) * 8 / self.rate(begins)
            if self.began is not None:
                self.waits.append((arrival - self.began, begins - arrival))
            self.note(self.carried, self.done, len(packet))
            self.fly(self.done, self.far, packet)

    def wakes(self):
        times = [self.flying[0][0]] if self.flying else []
        if self.queue:
            times.append(max(self.done, self.queue[0][0]))
        return min(times, default=None)

    def deliver(self, now):
        while self.flying and self.flying[0][0] <= now:
            _, _, file, packet = heapq.heappop(self.flying)
            try:
                os.write(file, packet)
            except OSError:
                pass  # the device is not up yet, or its namespace is gone

    def over(self, now):
        return self.began is not None and now > self.began + self.plan["seconds"]

    def report(self):
        count = int(self.plan["seconds"] / BIN)
        series = lambda bins: [bins.get(index, 0) for index in range(count)]
        waits = sorted(wait for _, wait in self.waits)
        at = lambda part: waits[min(len(waits) - 1, int(len(waits) * part))] * 1e3 if waits else None
        return {
            "offered": series(self.offered),
            "carried": series(self.carried),
            "wait_ms": [at(0.5), at(0.95), at(1.0)],
            "sent": self.sent,
            "dropped": self.dropped,
        }


def drain(file):
    while True:
        try:
            yield os.read(file, 65536)
        except BlockingIOError:
            return


def main():
    near_name, far_name, plan = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
    near, far = device(near_name, "10.98.0.1"), device(far_name, "10.98.0.2")
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(10))
    except OSError as error:
        print(f"not in real time: {error}", flush=True)
    link = Link(near, far, plan)
    print("ready", flush=True)
    told = False
    while True:
        if not told and link.over(time.monotonic()):
            print("report: " + json.dumps(link.report()), flush=True)
            told = True
        wakes = link.wakes()
        wait = 0.1 if wakes is None else max(0.0, min(0.1, wakes - time.monotonic()))
        readable, _, _ = select.select([near, far], [], [], wait)
        now = time.monotonic()
        if near in readable:
            for packet in drain(near):
                link.enter(packet, now)
        if far in readable:
            for packet in drain(far):
                link.fly(now, near, packet)
        link.serve(now)
        link.deliver(now)


main()
