# SPDX-License-Identifier: MPL-2.0
"""`scripts/bench data` and `scripts/bench file`: data channels, ours and their peers turn about.

Usage: data.py PLUGIN-FOLDER data|file ...
DATA_SECONDS (6): how long each run is measured; DATA_ROUNDS (2); FILE_MIB (1024).
Two processes in two network namespaces; writes target/bench/DATA.md and target/bench/FILE.md.
"""
import hashlib
import json
import os
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
PLUGINS = os.path.abspath(sys.argv[1])
OUT = os.path.join(ROOT, "target/bench")
SECONDS = float(os.environ.get("DATA_SECONDS", 6))
ROUNDS = int(os.environ.get("DATA_ROUNDS", 2))
MIB = int(os.environ.get("FILE_MIB", 1024))
SETTLE = 2.0
NODE = os.path.join(ROOT, "tests/node_modules/node-datachannel/package.json")
A, B = f"da{os.getpid()}", f"db{os.getpid()}"


def ip(*words, check=True):
    subprocess.run(["ip", *words], check=check, stderr=None if check else subprocess.DEVNULL)


class Path:
    """Two namespaces and a path between them."""

    def __init__(self, milliseconds, loss=0.0):
        self.emulator = None
        for name in (A, B):
            ip("netns", "add", name)
        if milliseconds == 0:
            ip("-n", A, "link", "add", "va", "type", "veth", "peer", "name", "vb", "netns", B)
            for name, dev, number in ((A, "va", 1), (B, "vb", 2)):
                ip("-n", name, "addr", "add", f"10.98.0.{number}/24", "dev", dev)
                ip("-n", name, "link", "set", dev, "up")
                ip("-n", name, "link", "set", "lo", "up")
                ip("-n", name, "route", "add", "default", "dev", dev)
                if loss:
                    # Else whole trains would be lost, which no path does.
                    ip("-n", name, "link", "set", dev, "gso_max_segs", "1")
                    rules = f"add table ip t; add chain ip t in {{ type filter hook input priority 0; }}; add rule ip t in udp dport >= 0 numgen random mod 1000 < {int(loss * 1000)} drop"
                    subprocess.run(["ip", "netns", "exec", name, "nft", rules], check=True)
        else:
            words = [sys.executable, os.path.join(HERE, "delay.py"), A, B, str(milliseconds / 2), str(loss)]
            self.emulator = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
            assert self.emulator.stdout.readline() == "ready\n"

    def start(self, name, *words, **more):
        environment = dict(os.environ, GST_PLUGIN_PATH=PLUGINS, GST_REGISTRY=os.path.join(OUT, "registry-data.bin"))
        return subprocess.Popen(["ip", "netns", "exec", name, *words], env=environment, text=True, **more)

    def close(self):
        if self.emulator:
            self.emulator.kill()
            self.emulator.wait()
        for name in (A, B):
            ip("netns", "del", name, check=False)


def cpu(pid):
    fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident(pid):
    for line in open(f"/proc/{pid}/status"):
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    return 0


def written(pid):
    for line in open(f"/proc/{pid}/io"):
        if line.startswith("wchar:"):
            return int(line.split()[1])


class Ours:
    name = "rtcsink, rtcdatasrc"

    def __init__(self, path, size):
        source = f"fakesrc sizetype=fixed sizemax={size} filltype=nothing ! application/octet-stream ! rtcsink.data_0 rtcsink name=rtcsink web-address=10.98.0.1:8080 quiet=true"
        self.sender = path.start(A, "gst-launch-1.0", "-q", *source.split(), stdout=subprocess.DEVNULL)
        time.sleep(1.5)
        sink = "rtcdatasrc uri=whep://10.98.0.1:8080/whep quiet=true ! filesink location=/dev/null async=false"
        self.receiver = path.start(B, "gst-launch-1.0", "-q", *sink.split(), stdout=subprocess.DEVNULL)

    def count(self):
        return written(self.receiver.pid)


class Piped:
    """Ends that speak lines on stdin and stdout."""

    def __init__(self, path, size):
        pipes = dict(stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.sender = path.start(A, *self.program, "send", str(size), **pipes)
        self.receiver = path.start(B, *self.program, "receive", **pipes)
        offer = self.sender.stdout.readline()
        self.receiver.stdin.write(offer)
        self.receiver.stdin.flush()
        self.sender.stdin.write(self.receiver.stdout.readline())
        self.sender.stdin.flush()

    def count(self):
        self.receiver.stdin.write("count\n")
        self.receiver.stdin.flush()
        return int(self.receiver.stdout.readline())


class Webrtcbin(Piped):
    name = "webrtcbin (Python)"
    program = ["/usr/bin/python3", os.path.join(HERE, "data_webrtcbin.py")]


class Node(Piped):
    name = "node-datachannel"
    program = ["node", os.path.join(HERE, "data_node.mjs")]


def end(*programs):
    for program in programs:
        program.kill()
        program.wait()


def measure(subject, size, milliseconds, loss=0.0):
    path = Path(milliseconds, loss)
    programs = None
    try:
        programs = subject(path, size)
        limit = time.monotonic() + 20
        while programs.count() < 1_000_000 and time.monotonic() < limit:
            time.sleep(0.1)
        time.sleep(SETTLE)
        pids = (programs.sender.pid, programs.receiver.pid)
        before = (programs.count(), time.monotonic(), *map(cpu, pids))
        time.sleep(SECONDS)
        after = (programs.count(), time.monotonic(), *map(cpu, pids))
    finally:
        if programs:
            end(programs.sender, programs.receiver)
        path.close()
    got, took, sent, received = (b - a for a, b in zip(before, after))
    return got, took, sent, received


def versions():
    gst = subprocess.run(["gst-launch-1.0", "--version"], capture_output=True, text=True).stdout.split("\n")[1]
    node = json.load(open(NODE))["version"] if os.path.exists(NODE) else "missing"
    cpuinfo = next(line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name"))
    when = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())
    return f"{when}; {cpuinfo}, {os.cpu_count()} cores, Linux {os.uname().release}; {gst}; node-datachannel {node}; load {os.getloadavg()[0]:.1f} at the end."


def data():
    rows = {}
    for turn in range(ROUNDS):
        for milliseconds, loss, sizes in ((0, 0.0, (65536, 100)), (20, 0.0, (65536, 100)), (0, 0.05, (65536,)), (20, 0.05, (65536,))):
            for size in sizes:
                subjects = [Ours, Webrtcbin] + ([Node] if os.path.exists(NODE) else [])
                for subject in subjects if turn % 2 == 0 else reversed(subjects):
                    try:
                        run = measure(subject, size, milliseconds, loss)
                    except (AssertionError, ValueError, OSError) as error:
                        print(f"bench: {subject.name} {size} {milliseconds}: {error}", flush=True)
                        continue
                    if run[0] == 0:
                        print(f"bench: {subject.name} {size} {milliseconds}: nothing came", flush=True)
                        continue
                    rows.setdefault((milliseconds, loss, size, subject.name), []).append(run)
                    got, took, sent, received = run
                    gigabytes = max(got, 1) / 1e9
                    print(f"bench: {milliseconds} ms, {loss:.0%} lost, {size} B, {subject.name}: {got / took / 1e6:.2f} MB/s, {sent / gigabytes:.1f} + {received / gigabytes:.1f} CPU-s/GB", flush=True)
    lines = ["| round trip | message | ends | MB/s | messages/s | CPU-s/GB, sender | receiver | µs of CPU a message, both | runs |", "|---|---|---|---|---|---|---|---|---|"]
    for (milliseconds, loss, size, name), runs in rows.items():
        got, took, sent, received = (sum(column) for column in zip(*runs))
        gigabytes, messages = max(got, 1) / 1e9, max(got / size, 1)
        trip = "veth, < 0.2 ms" if milliseconds == 0 else f"{milliseconds} ms"
        trip += f", {loss:.0%} lost" if loss else ""
        lines.append(f"| {trip} | {size} B | {name} | {got / took / 1e6:.2f} | {messages / took:.0f} | {sent / gigabytes:.1f} | {received / gigabytes:.1f} | {(sent + received) / messages * 1e6:.1f} | {len(runs)} |")
    write("DATA.md", lines + ["", versions()])


def digest(name):
    with open(name, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() if hasattr(hashlib, "file_digest") else hashlib.sha256(file.read()).hexdigest()


def file_run(label, loss, stop):
    source, target = os.path.join(OUT, "file-in"), os.path.join(OUT, "file-out")
    if not os.path.exists(source) or os.path.getsize(source) != MIB << 20:
        with open(source, "wb") as file:
            for _ in range(MIB):
                file.write(os.urandom(1 << 20))
    path = Path(0, loss)
    try:
        words = f"filesrc location={source} blocksize=65536 ! rtcsink.data_0 rtcsink name=rtcsink web-address=10.98.0.1:8080 quiet=true"
        sender = path.start(A, "gst-launch-1.0", "-q", *words.split())
        time.sleep(1.5)
        words = f"rtcdatasrc uri=whep://10.98.0.1:8080/whep quiet=true on-close=eos ! filesink location={target} async=false"
        receiver = path.start(B, "gst-launch-1.0", "-q", *words.split())
        base, most = None, [0, 0]
        begun, stopped = None, 0.0
        while receiver.poll() is None:
            time.sleep(0.05)
            size = os.path.getsize(target) if os.path.exists(target) else 0
            if begun is None and size > 0:
                begun, base = time.monotonic(), [resident(sender.pid), resident(receiver.pid)]
            if begun and sender.poll() is None:
                most = [max(a, resident(p.pid)) for a, p in zip(most, (sender, receiver))]
            if stop and size > MIB << 18:
                os.kill(receiver.pid, 19)
                until = time.monotonic() + stop
                while time.monotonic() < until:
                    most[0] = max(most[0], resident(sender.pid))
                    time.sleep(0.2)
                os.kill(receiver.pid, 18)
                stopped, stop = float(stop), 0
        took = time.monotonic() - begun - stopped
        sender.wait(30)
    finally:
        end(sender, receiver)
        path.close()
    equal = digest(source) == digest(target)
    os.remove(target)
    grown = [(m - b) / 1024 for m, b in zip(most, base)]
    row = f"| {label} | {MIB} MiB | {'equal' if equal else 'DIFFERS'} | {took:.1f} | {MIB * 1.048576 / took:.1f} | {grown[0]:+.1f} | {grown[1]:+.1f} |"
    print("bench:", row, flush=True)
    return row


def files():
    lines = ["| path | size | hash | s | MB/s | MiB more, sender | receiver |", "|---|---|---|---|---|---|---|"]
    lines.append(file_run("clean", 0.0, 0))
    lines.append(file_run("clean, reader stopped for 30 s", 0.0, int(os.environ.get("FILE_STOP", 30))))
    lines.append(file_run("5 % lost in either direction", 0.05, 0))
    os.remove(os.path.join(OUT, "file-in"))
    write("FILE.md", lines + ["", versions()])


def write(name, lines):
    with open(os.path.join(OUT, name), "w") as file:
        file.write("\n".join(lines) + "\n")
    print(f"bench: written to target/bench/{name}")


os.makedirs(OUT, exist_ok=True)
for part in sys.argv[2:]:
    {"data": data, "file": files}[part]()
