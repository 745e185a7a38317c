# SPDX-License-Identifier: MPL-2.0
"""One end of a data channel by GStreamer's webrtcbin: sends as fast as it can, or counts what comes.

Usage: data_webrtcbin.py send SIZE | data_webrtcbin.py receive
Descriptions are lines of JSON on stdin and stdout; the line "count" is answered with the bytes received.
"""
import json
import sys
import threading
import time

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstSdp", "1.0")
gi.require_version("GstWebRTC", "1.0")
from gi.repository import GLib, Gst, GstSdp, GstWebRTC  # noqa: E402

Gst.init(None)
SENDS = sys.argv[1] == "send"
AHEAD = 2 * 1024 * 1024
pipeline = Gst.Pipeline()
rtc = Gst.ElementFactory.make("webrtcbin")
rtc.set_property("bundle-policy", "max-bundle")
pipeline.add(rtc)
gathered = threading.Event()
kept, received = [], [0]


def ask(signal, *arguments):
    promise = Gst.Promise.new()
    kept.append(promise)
    rtc.emit(signal, *arguments, promise)
    promise.wait()
    return promise.get_reply()


def describe(kind, sdp):
    _, message = GstSdp.SDPMessage.new_from_text(sdp)
    names = {"offer": GstWebRTC.WebRTCSDPType.OFFER, "answer": GstWebRTC.WebRTCSDPType.ANSWER}
    description = GstWebRTC.WebRTCSessionDescription.new(names[kind], message)
    kept.append(description)
    return description


def make(kind):
    reply = ask(f"create-{kind}", None)
    description = reply.get_value(kind)
    kept.append(description)
    ask("set-local-description", description)
    gathered.wait(10)
    print(json.dumps({"type": kind, "sdp": rtc.get_property("local-description").sdp.as_text()}), flush=True)


def on_gathering(*_):
    if rtc.get_property("ice-gathering-state") == GstWebRTC.WebRTCICEGatheringState.COMPLETE:
        gathered.set()


def on_channel(_rtc, channel):
    kept.append(channel)
    channel.connect("on-message-data", on_data)


def on_data(_channel, data):
    received[0] += data.get_size()


def send(channel):
    message = GLib.Bytes.new(bytes(int(sys.argv[2])))
    while True:
        if channel.get_property("buffered-amount") < AHEAD:
            for _ in range(max(1, min(100, AHEAD // message.get_size() // 4))):
                channel.emit("send-data", message)
        else:
            time.sleep(0.0005)


def on_open(channel):
    threading.Thread(target=send, args=(channel,), daemon=True).start()


def serve():
    if SENDS:
        make("offer")
    for line in sys.stdin:
        if line.strip() == "count":
            print(received[0], flush=True)
            continue
        told = json.loads(line)
        ask("set-remote-description", describe(told["type"], told["sdp"]))
        if not SENDS:
            make("answer")
    loop.quit()


rtc.connect("notify::ice-gathering-state", on_gathering)
rtc.connect("on-data-channel", on_channel)
pipeline.set_state(Gst.State.PLAYING)
if SENDS:
    channel = rtc.emit("create-data-channel", "bench", None)
    kept.append(channel)
    channel.connect("on-open", on_open)
loop = GLib.MainLoop()
threading.Thread(target=serve, daemon=True).start()
loop.run()
