# SPDX-License-Identifier: MPL-2.0
"""Telemetry at 1 kHz beside a video call, over whatever path the namespace has: prints one line of JSON.

Usage: data_telemetry.py SECONDS
Watches the video for that long without and then with telemetry: frames that came, ages of messages.
"""
import json
import struct
import sys
import threading
import time

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstApp", "1.0")
from gi.repository import GLib, Gst, GstApp  # noqa: E402, F401

Gst.init(None)
SECONDS = float(sys.argv[1])
sender = Gst.parse_launch(
    "rtcsink name=s web-address=127.0.0.1:0 udp-port=0 quiet=true video-caps=video/x-vp8 "
    "data_0::label=telemetry data_0::ordered=false data_0::max-retransmits=0 data_0::leaky=downstream "
    "videotestsrc is-live=true pattern=ball ! video/x-raw,width=320,height=240,framerate=30/1 ! s. "
    "appsrc name=in is-live=true format=time caps=application/octet-stream ! s.data_0"
)
frames, ages, lateness = [0], [], []
clock = time.monotonic


def listening():
    bus = sender.get_bus()
    while True:
        message = bus.timed_pop_filtered(15 * Gst.SECOND, Gst.MessageType.ELEMENT | Gst.MessageType.ERROR)
        structure = message and message.get_structure()
        if structure and structure.get_name() == "rtc-listening":
            return structure


def on_frame(*_):
    frames[0] += 1
    return Gst.PadProbeReturn.OK


def on_message(sink):
    sample = sink.emit("pull-sample")
    data = sample.get_buffer().extract_dup(0, 8)
    ages.append(clock() - struct.unpack("d", data)[0])
    return Gst.FlowReturn.OK


def on_pad(_source, pad):
    # rtcdatasrc reads the data channel, whose pad stays alone.
    if not pad.get_name().startswith("video"):
        return
    sink = Gst.ElementFactory.make("fakesink")
    sink.set_property("sync", False)
    sink.set_property("async", False)
    pad.add_probe(Gst.PadProbeType.BUFFER, on_frame)
    receiver.add(sink)
    sink.sync_state_with_parent()
    pad.link(sink.get_static_pad("sink"))


def tell(seconds):
    """A message of 100 bytes each millisecond; how late this thread was woken is kept too."""
    source = sender.get_by_name("in")
    begun = clock()
    for at in range(int(seconds * 1000)):
        due = begun + at / 1000
        wait = due - clock()
        if wait > 0:
            time.sleep(wait)
        lateness.append(clock() - due)
        source.emit("push-buffer", Gst.Buffer.new_wrapped(struct.pack("d", clock()) + bytes(92)))
    return int(seconds * 1000)


def percentile(values, percent):
    values = sorted(values)
    return values[min(len(values) - 1, len(values) * percent // 100)] * 1000 if values else None


sender.set_state(Gst.State.PLAYING)
told = listening()
uri = told.get_value("uri").rstrip("/").replace("http://", "whep://") + "/whep"
receiver = Gst.parse_launch(
    f"rtcsrc name=r endpoint=call uri={uri} udp-port=0 quiet=true "
    f"rtcdatasrc endpoint=call uri={uri} udp-port=0 quiet=true label=telemetry ! "
    "appsink name=out sync=false async=false emit-signals=true"
)
receiver.get_by_name("r").connect("pad-added", on_pad)
receiver.get_by_name("out").connect("new-sample", on_message)
receiver.set_state(Gst.State.PLAYING)
loop = GLib.MainLoop()
threading.Thread(target=loop.run, daemon=True).start()
end = clock() + 20
while frames[0] < 30 and clock() < end:
    time.sleep(0.01)
before = frames[0]
time.sleep(SECONDS)
alone = frames[0] - before
tell(1)
time.sleep(0.2)
ages.clear()
lateness.clear()
before = frames[0]
sent = tell(SECONDS)
beside = frames[0] - before
time.sleep(0.5)
print(json.dumps({
    "ok": True, "alone": alone, "beside": beside, "sent": sent, "came": len(ages),
    "age_ms_p50": percentile(ages, 50), "age_ms_p99": percentile(ages, 99), "late_ms_p99": percentile(lateness, 99),
}), flush=True)
sender.set_state(Gst.State.NULL)
receiver.set_state(Gst.State.NULL)
