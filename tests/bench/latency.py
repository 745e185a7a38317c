# SPDX-License-Identifier: MPL-2.0
"""Where the milliseconds go between rtcsink's sink pad and rtcsrc's src pad, by pad probes.

Both stand in one pipeline, so one clock times all; the packets go through the kernel's loopback. `latency.py
[seconds]` prints a table: medians and 95th percentiles in ms over the frames of that time (default 10).
"""
import statistics
import sys
import time

import gi

gi.require_version("Gst", "1.0")
from gi.repository import GLib, Gst  # noqa: E402

RAW = "videotestsrc is-live=true pattern=smpte ! video/x-raw,format=I420,width=640,height=360,framerate=30/1"
CASES = [
    ("VP8, passed through", RAW + " ! vp8enc deadline=1 cpu-used=-6 keyframe-max-dist=30 end-usage=cbr"
     " target-bitrate=1000000 ! s.video_0", "video/x-vp8", ""),
    ("H.264, passed through", RAW + " ! x264enc tune=zerolatency speed-preset=superfast key-int-max=30 bitrate=1000"
     " ! video/x-h264,profile=constrained-baseline ! s.video_0", "video/x-h264", ""),
    ("VP8, encoded and decoded", RAW + " ! s.video_0", "video/x-raw", "video/x-vp8"),
    ("H.264, encoded and decoded", RAW + " ! s.video_0", "video/x-raw", "video/x-h264"),
    ("Opus, passed through", "audiotestsrc is-live=true samplesperbuffer=960 ! audio/x-raw,rate=48000,channels=2"
     " ! opusenc frame-size=20 ! s.audio_0", "audio/x-opus", ""),
]


class Run:
    """One case: times of each frame at each point, by its running time."""

    def __init__(self, name, sending, out, codec):
        meeting = f"loopback:latency-{name}"
        caps = f'video-caps="{codec}"' if codec else ""
        text = (
            f'rtcsink name=s uri="{meeting}" udp-port=0 quiet=true {caps} {sending} '
            f'rtcsrc name=r uri="{meeting}" udp-port=0 quiet=true latency=0'
        )
        self.pipeline = Gst.parse_launch(text)
        self.out = out
        self.sent, self.enc_in, self.enc_out, self.rtp = {}, {}, {}, {}
        self.received, self.dec_in, self.dec_out, self.done = {}, {}, {}, {}
        sink, src = self.pipeline.get_by_name("s"), self.pipeline.get_by_name("r")
        kind = "audio" if "audio_0" in sending else "video"
        self.note(sink.get_static_pad(f"{kind}_0"), self.sent)
        sink.connect("encoder-setup", lambda _, __, encoder: self.around(encoder, self.enc_in, self.enc_out))
        sink.connect("encoded-pad-added", lambda _, pad, *__: pad.add_probe(Gst.PadProbeType.BUFFER, self.on_tap))
        src.connect("encoded-pad-added", lambda _, pad, *__: pad.add_probe(Gst.PadProbeType.BUFFER, self.on_feed))
        src.connect("deep-element-added", self.on_element)
        src.connect("pad-added", self.on_pad)

    def now(self):
        return self.pipeline.get_clock().get_time() - self.pipeline.get_base_time()

    @staticmethod
    def due(pad, info):
        """The running time of a buffer: encoders may shift its PTS and the segment with it."""
        segment = pad.get_sticky_event(Gst.EventType.SEGMENT, 0).parse_segment()
        return segment.to_running_time(Gst.Format.TIME, info.get_buffer().pts)

    def note(self, pad, into):
        def probe(pad, info):
            into.setdefault(self.due(pad, info), self.now())
            return Gst.PadProbeReturn.OK

        pad.add_probe(Gst.PadProbeType.BUFFER, probe)

    def around(self, element, before, after):
        self.note(element.get_static_pad("sink"), before)
        self.note(element.get_static_pad("src"), after)

    def on_element(self, _, __, element):
        factory = element.get_factory()
        if factory and "Decoder" in factory.get_metadata("klass"):
            self.around(element, self.dec_in, self.dec_out)

    def on_tap(self, pad, info):
        meta = info.get_buffer().get_custom_meta("GstRtcFrameMeta").get_structure()
        self.rtp[meta.get_uint("rtp-timestamp")[1]] = self.due(pad, info)
        return Gst.PadProbeReturn.OK

    def on_feed(self, pad, info):
        meta = info.get_buffer().get_custom_meta("GstRtcFrameMeta").get_structure()
        arrived = meta.get_uint64("receive-time")[1]
        self.received[self.due(pad, info)] = (meta.get_uint("rtp-timestamp")[1], arrived)
        return Gst.PadProbeReturn.OK

    def on_pad(self, src, pad):
        tail = Gst.parse_bin_from_description(f"capsfilter caps={self.out} ! fakesink sync=false", True)
        self.pipeline.add(tail)
        tail.sync_state_with_parent()
        self.note(pad, self.done)
        pad.link(tail.get_static_pad("sink"))

    def run(self, seconds):
        self.pipeline.set_state(Gst.State.PLAYING)
        loop, failed = GLib.MainLoop(), []
        bus = self.pipeline.get_bus()
        bus.add_signal_watch()
        bus.connect("message::error", lambda _, m: (failed.append(m.parse_error()[0].message), loop.quit()))
        GLib.timeout_add(int(seconds * 1000), loop.quit)
        loop.run()
        self.pipeline.set_state(Gst.State.NULL)
        if failed:
            sys.exit(f"latency: {failed[0]}")
        return self.rows()

    def rows(self):
        """ms of each frame: to the encoder, in it, on to the packet, to the decoder, in it, to the src pad."""
        rows = []
        for out, done in sorted(self.done.items())[30:]:
            if out not in self.received:
                continue
            rtp, arrived = self.received[out]
            pts = self.rtp.get(rtp)
            if pts not in self.sent:
                continue
            start = self.sent[pts]
            enc_in = self.enc_in.get(pts, start)
            enc_out = self.enc_out.get(pts, start)
            dec_in = self.dec_in.get(out, done)
            dec_out = self.dec_out.get(out, done)
            points = [start, enc_in, enc_out, arrived, dec_in, dec_out, done]
            rows.append([(b - a) / 1e6 for a, b in zip(points, points[1:])])
        return rows


def cell(values):
    """Median and 95th percentile."""
    values = sorted(values)
    return f"{statistics.median(values):.2f} / {values[int(len(values) * 0.95)]:.2f}"


def main():
    Gst.init(None)
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 10.0
    print("## Latency: rtcsink's sink pad to rtcsrc's src pad, `latency=0`, one machine\n")
    print("Pad probes of one process; the packet's arrival is that of a frame's first packet, through the loopback.\n")
    print(f"Of {seconds:.0f} s each, {time.strftime('%Y-%m-%d %H:%M', time.gmtime())} UTC, {Gst.version_string()}; "
          "median / 95th percentile, ms.\n")
    print("| stream | frames | sink pad to encoder | encoder | to the packet's arrival | packet to decoder or src pad "
          "| decoder | to src pad | sum beyond encoder and decoder |")
    print("|---|---|---|---|---|---|---|---|---|")
    for name, sending, out, codec in CASES:
        rows = Run(name, sending, out, codec).run(seconds)
        if not rows:
            print(f"| {name} | 0 | - | - | - | - | - | - | - |")
            continue
        columns = list(zip(*rows))
        beyond = [row[0] + row[2] + row[3] + row[5] for row in rows]
        cells = [cell(column) for column in columns] + [cell(beyond)]
        print(f"| {name} | {len(rows)} | " + " | ".join(cells) + " |", flush=True)


main()
