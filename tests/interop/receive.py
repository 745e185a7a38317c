# SPDX-License-Identifier: MPL-2.0
"""Receives with rtcsrc: receive.py URI VIDEO-CAPS SECONDS [ask]

Prints `pad N` when the first buffer of the Nth video pad arrives, and at the end a JSON line: `frames` and
`keyframes` of the whole, `monotonic`, `listening` where it serves. With `ask`, one second before the end it
asks for a keyframe: `before` and `after` count the keyframes in the second before and in that after.
"""
import json
import sys
import time

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstVideo", "1.0")
from gi.repository import GLib, Gst, GstVideo  # noqa: E402


class Receiver:
    def __init__(self, uri, caps):
        self.caps = Gst.Caps.from_string(caps)
        self.frames, self.keyframes, self.pads = 0, [], 0
        self.monotonic, self.sink_pad, self.errors = True, None, []
        self.pipeline = Gst.Pipeline.new()
        source = Gst.ElementFactory.make("rtcsrc")
        source.set_property("uri", uri)
        self.pipeline.add(source)
        source.connect("pad-added", self.on_pad)
        bus = self.pipeline.get_bus()
        bus.add_signal_watch()
        bus.connect("message::error", lambda _, m: self.errors.append(m.parse_error()[0].message))

    def on_pad(self, _, pad):
        if not pad.get_name().startswith("video"):
            return
        chain = [Gst.ElementFactory.make(name) for name in ("capsfilter", "fakesink")]
        chain[0].set_property("caps", self.caps)
        chain[1].set_property("sync", False)
        chain[1].set_property("async", False)
        for element in chain:
            self.pipeline.add(element)
        chain[0].link(chain[1])
        self.pads += 1
        last = [self.pads, -1]
        self.sink_pad = chain[1].get_static_pad("sink")
        self.sink_pad.add_probe(Gst.PadProbeType.BUFFER, self.on_buffer, last)
        for element in chain:
            element.sync_state_with_parent()
        pad.link(chain[0].get_static_pad("sink"))

    def on_buffer(self, _, info, last):
        buffer = info.get_buffer()
        if last[1] < 0:
            print("pad", last[0], flush=True)
        self.monotonic &= buffer.pts != Gst.CLOCK_TIME_NONE and buffer.pts > last[1]
        last[1] = buffer.pts
        self.frames += 1
        if not buffer.has_flags(Gst.BufferFlags.DELTA_UNIT):
            self.keyframes.append(time.monotonic())
        return Gst.PadProbeReturn.OK

    def ask(self):
        self.asked = time.monotonic()
        event = GstVideo.video_event_new_upstream_force_key_unit(Gst.CLOCK_TIME_NONE, True, 0)
        self.sink_pad.push_event(event)

    def result(self):
        result = {
            "ok": not self.errors,
            "errors": self.errors,
            "frames": self.frames,
            "keyframes": len(self.keyframes),
            "monotonic": self.monotonic,
        }
        if hasattr(self, "asked"):
            since = [at - self.asked for at in self.keyframes]
            result["before"] = sum(-1 < at < 0 for at in since)
            result["after"] = sum(0 <= at < 1 for at in since)
        return result


def main():
    Gst.init(None)
    uri, caps, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3])
    receiver = Receiver(uri, caps)
    loop = GLib.MainLoop()
    GLib.timeout_add(int(seconds * 1000), loop.quit)
    if "ask" in sys.argv:
        GLib.timeout_add(int(seconds * 1000 - 1000), receiver.ask)
    receiver.pipeline.set_state(Gst.State.PLAYING)
    loop.run()
    result = receiver.result()
    receiver.pipeline.set_state(Gst.State.NULL)
    print(json.dumps(result), flush=True)


main()
