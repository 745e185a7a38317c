# SPDX-License-Identifier: MPL-2.0
"""An encoded input whose frames tell the time by their halves' brightness, and that makes a keyframe every
five seconds whatever is asked for. `late_sender.py PROPERTY=VALUE...` are rtcsink's."""
import sys
import threading
import time

import gi

gi.require_version("Gst", "1.0")
from gi.repository import GLib, Gst  # noqa: E402

WIDTH, HEIGHT = 320, 240


def frame():
    tick = int(time.time() * 30) % 10000
    left, right = 16 + tick % 100 * 2, 16 + tick // 100 * 2
    row = bytes([left]) * (WIDTH // 2) + bytes([right]) * (WIDTH // 2)
    return row * HEIGHT + bytes([128]) * (WIDTH * HEIGHT // 2)


def stubborn(_, info):
    is_request = info.get_event().type == Gst.EventType.CUSTOM_UPSTREAM
    return Gst.PadProbeReturn.DROP if is_request else Gst.PadProbeReturn.OK


Gst.init(None)
pipeline = Gst.parse_launch(
    f"appsrc name=a is-live=true format=time do-timestamp=true caps=video/x-raw,format=I420,width={WIDTH},"
    f"height={HEIGHT},framerate=30/1 ! vp8enc name=e deadline=1 cpu-used=-6 end-usage=cbr target-bitrate=1000000 "
    f"keyframe-max-dist=150 keyframe-mode=auto ! rtcsink {' '.join(sys.argv[1:])}"
)
pipeline.get_by_name("e").get_static_pad("src").add_probe(Gst.PadProbeType.EVENT_UPSTREAM, stubborn)
source = pipeline.get_by_name("a")
pipeline.set_state(Gst.State.PLAYING)


def feed():
    due = time.monotonic()
    while True:
        source.emit("push-buffer", Gst.Buffer.new_wrapped(frame()))
        due += 1 / 30
        time.sleep(max(0, due - time.monotonic()))


threading.Thread(target=feed, daemon=True).start()
GLib.MainLoop().run()
