# SPDX-License-Identifier: MPL-2.0
"""A bare webrtcbin for each viewer behind one shared payloader: the least WHEP server there can be.

Usage: webrtcbin.py FILE.mp4   (H.264; prints "webrtcbin at http://127.0.0.1:PORT/")
No retransmission, no congestion control, no trickle. Python signals only; media stays in GStreamer's threads.
"""
import re
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstSdp", "1.0")
gi.require_version("GstWebRTC", "1.0")
from gi.repository import GLib, Gst, GstSdp, GstWebRTC

Gst.init(None)
# The profile is in the stream; a caps field that differs from the offer's text would not match.
CAPS = (
    "application/x-rtp,media=(string)video,clock-rate=(int)90000,"
    "encoding-name=(string)H264,packetization-mode=(string)1,payload=(int)%d"
)
LINE = (
    f"filesrc location={sys.argv[1]} ! qtdemux ! h264parse ! identity sync=true "
    "! rtph264pay name=pay config-interval=-1 aggregate-mode=zero-latency "
    '! capssetter replace=true caps="%s" '
    "! tee name=tee allow-not-linked=true"
)
pipeline = None
tee = None
payload_type = None
lock = threading.Lock()
# Promises and descriptions must outlive the calls that take them.
kept = []


def h264_payload_type(offer):
    """The payload type of constrained baseline, packetization-mode 1."""
    for number, fmtp in re.findall(r"a=fmtp:(\d+) (.*)", offer):
        if "packetization-mode=1" in fmtp and re.search(r"profile-level-id=42[ce]0", fmtp, re.I):
            return int(number)
    raise ValueError("no H.264 that fits in the offer")


def start(number):
    """The pipeline begins with the first viewer, whose offer names the payload type of all."""
    global pipeline, tee, payload_type
    payload_type = number
    pipeline = Gst.parse_launch(LINE % (CAPS % number))
    pipeline.get_by_name("pay").set_property("pt", number)
    tee = pipeline.get_by_name("tee")
    pipeline.set_state(Gst.State.PLAYING)


def ask(rtc, signal, *arguments):
    """Calls webrtcbin and waits for its promise."""
    promise = Gst.Promise.new()
    rtc.emit(signal, *arguments, promise)
    promise.wait()
    kept.append(promise)
    return promise.get_reply()


def answer(offer):
    number = h264_payload_type(offer)
    with lock:
        if pipeline is None:
            start(number)
    if number != payload_type:
        raise ValueError(f"payload type {number} differs from the first viewer's {payload_type}")
    queue = Gst.ElementFactory.make("queue")
    queue.set_property("leaky", 2)
    queue.set_property("max-size-buffers", 1000)
    rtc = Gst.ElementFactory.make("webrtcbin")
    rtc.set_property("bundle-policy", "max-bundle")
    gathered = threading.Event()

    def on_gathering(element, _):
        if element.get_property("ice-gathering-state") == GstWebRTC.WebRTCICEGatheringState.COMPLETE:
            gathered.set()

    rtc.connect("notify::ice-gathering-state", on_gathering)
    pipeline.add(queue)
    pipeline.add(rtc)
    rtc.sync_state_with_parent()
    _, message = GstSdp.SDPMessage.new_from_text(offer)
    description = GstWebRTC.WebRTCSessionDescription.new(GstWebRTC.WebRTCSDPType.OFFER, message)
    kept.append(description)
    pad = rtc.request_pad_simple("sink_%u")
    transceiver = pad.get_property("transceiver")
    transceiver.set_property("direction", GstWebRTC.WebRTCRTPTransceiverDirection.SENDONLY)
    transceiver.set_property("codec-preferences", Gst.Caps.from_string(CAPS % number))
    queue.get_static_pad("src").link(pad)
    queue.sync_state_with_parent()
    ask(rtc, "set-remote-description", description)
    reply = ask(rtc, "create-answer", None)
    local = reply.get_value("answer")
    kept.append(local)
    ask(rtc, "set-local-description", local)
    if not gathered.wait(15):
        raise ValueError("no candidates")
    tee.request_pad_simple("src_%u").link(queue.get_static_pad("sink"))
    return rtc.get_property("local-description").sdp.as_text()


class Whep(BaseHTTPRequestHandler):
    def do_POST(self):
        offer = self.rfile.read(int(self.headers["Content-Length"])).decode()
        try:
            status, body = 201, answer(offer).encode()
        except ValueError as error:
            status, body = 406, str(error).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/sdp" if status == 201 else "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    request_queue_size = 128


server = Server(("127.0.0.1", 0), Whep)
print(f"webrtcbin at http://127.0.0.1:{server.server_port}/", flush=True)
threading.Thread(target=server.serve_forever, daemon=True).start()
GLib.MainLoop().run()
