# SPDX-License-Identifier: MPL-2.0
"""webrtcbin (RSA certificate) as a WHEP viewer or WHIP publisher: prints one line of JSON.

Usage: whep_webrtcbin.py view|publish URL SECONDS
"""
import json
import sys
import urllib.request

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstSdp", "1.0")
gi.require_version("GstWebRTC", "1.0")
from gi.repository import GLib, Gst, GstSdp, GstWebRTC

ROLE, URL, SECONDS = sys.argv[1], sys.argv[2], float(sys.argv[3])
PUBLISH = (
    "webrtcbin name=rtc bundle-policy=max-bundle "
    "videotestsrc is-live=true ! video/x-raw,width=320,height=240,framerate=30/1 ! vp8enc deadline=1 keyframe-max-dist=30 "
    "! rtpvp8pay pt=96 picture-id-mode=15-bit ! application/x-rtp,media=video,encoding-name=VP8,payload=96 ! rtc. "
    "audiotestsrc is-live=true freq=1000 ! opusenc ! rtpopuspay pt=97 ! application/x-rtp,media=audio,encoding-name=OPUS,payload=97 ! rtc. "
)
counts = {"video": 0, "audio": 0}
states = []
# Promises and descriptions must outlive the calls that take them.
kept = []


def fail(text):
    print(json.dumps({"ok": False, "error": text, "states": states}))
    loop.quit()


def count(pad, info, kind):
    counts[kind] += 1
    return Gst.PadProbeReturn.OK


def pad_added(element, pad):
    if pad.direction != Gst.PadDirection.SRC:
        return
    kind = pad.get_current_caps().get_structure(0).get_string("media")
    depay, decode = {
        "video": ("rtpvp8depay", "vp8dec"),
        "audio": ("rtpopusdepay", "opusdec"),
    }[kind]
    chain = [Gst.ElementFactory.make(name) for name in (depay, decode, "fakesink")]
    chain[-1].set_property("sync", False)
    for part in chain:
        pipeline.add(part)
    for one, two in zip(chain, chain[1:]):
        one.link(two)
    for part in chain:
        part.sync_state_with_parent()
    chain[-1].get_static_pad("sink").add_probe(Gst.PadProbeType.BUFFER, count, kind)
    pad.link(chain[0].get_static_pad("sink"))


def on_offer(promise, _):
    reply = promise.get_reply()
    offer = reply.get_value("offer")
    kept.extend((reply, offer))
    rtc.emit("set-local-description", offer, None)
    gathered()


def gathered(*_):
    if rtc.get_property("ice-gathering-state") != GstWebRTC.WebRTCICEGatheringState.COMPLETE or "posted" in states:
        return
    states.append("posted")
    text = rtc.get_property("local-description").sdp.as_text()
    request = urllib.request.Request(URL, text.encode(), {"Content-Type": "application/sdp"})
    try:
        with urllib.request.urlopen(request, timeout=15) as response:
            answer = response.read().decode()
    except urllib.error.HTTPError as error:
        return fail(f"{error.code} {error.read().decode()}")
    _, message = GstSdp.SDPMessage.new_from_text(answer)
    description = GstWebRTC.WebRTCSessionDescription.new(GstWebRTC.WebRTCSDPType.ANSWER, message)
    kept.append(description)
    rtc.emit("set-remote-description", description, None)


def negotiate(*_):
    if "offered" in states:
        return
    states.append("offered")
    promise = Gst.Promise.new_with_change_func(on_offer, None)
    kept.append(promise)
    rtc.emit("create-offer", None, promise)


def finish():
    stats = {"ok": True, **counts, "states": states, "connection": rtc.get_property("connection-state").value_nick}
    print(json.dumps(stats))
    loop.quit()
    return False


Gst.init(None)
loop = GLib.MainLoop()
if ROLE == "publish":
    pipeline = Gst.parse_launch(PUBLISH)
    rtc = pipeline.get_by_name("rtc")
else:
    # One element alone would be parsed into itself, not into a pipeline.
    pipeline = Gst.parse_launch("webrtcbin name=rtc bundle-policy=max-bundle fakesrc num-buffers=0 ! fakesink async=false")
    rtc = pipeline.get_by_name("rtc")
    for caps in (
        "application/x-rtp,media=video,encoding-name=VP8,payload=96,clock-rate=90000",
        "application/x-rtp,media=audio,encoding-name=OPUS,payload=97,clock-rate=48000,encoding-params=(string)2",
    ):
        rtc.emit("add-transceiver", GstWebRTC.WebRTCRTPTransceiverDirection.RECVONLY, Gst.Caps.from_string(caps))
rtc.connect("on-negotiation-needed", negotiate)
rtc.connect("pad-added", pad_added)
rtc.connect("notify::ice-gathering-state", gathered)
rtc.connect("notify::connection-state", lambda o, _: states.append(o.get_property("connection-state").value_nick))
pipeline.set_state(Gst.State.PLAYING)
GLib.timeout_add(int(SECONDS * 1000), finish)
loop.run()
pipeline.set_state(Gst.State.NULL)
