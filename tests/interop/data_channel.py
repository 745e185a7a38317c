# SPDX-License-Identifier: MPL-2.0
"""GstRtcDataChannel by properties and signals alone, as Python has it: prints one line of JSON."""
import json

import gi

gi.require_version("Gst", "1.0")
from gi.repository import GLib, Gst  # noqa: E402

Gst.init(None)
LINE = (
    "rtcsink name=s uri=loopback:py udp-port=0 data_0::label=talk data_0::max-retransmits=7 "
    "appsrc caps=text/x-raw,format=utf8 ! s.data_0 "
    "rtcdatasrc name=r uri=loopback:py udp-port=0 ! fakesink name=out async=false signal-handoffs=true"
)
loop = GLib.MainLoop()
seen = {"signals": [], "messages": []}


def on_channel(element, session, channel):
    who = element.get_name()
    note = lambda name: lambda channel, *_: seen["signals"].append(f"{who} {name} {channel.props.ready_state.value_nick}")
    for name in ("on-open", "on-closing", "on-close"):
        channel.connect(name, note(name))
    channel.connect("on-message-string", on_string)
    channel.connect("on-message-data", on_data)
    seen[who] = {
        name: channel.get_property(name)
        for name in ("label", "protocol", "ordered", "negotiated", "max-retransmits", "max-packet-life-time", "id")
    }
    seen[who]["session"] = channel.get_property("session") == session
    if who == "r":
        channel.connect("on-open", lambda channel: channel.emit("send-string", "grüße"))
    else:
        channel.connect("on-close", lambda channel: GLib.timeout_add(200, loop.quit))


def on_string(channel, text):
    seen["messages"].append(text)
    channel.emit("send-data", GLib.Bytes.new(b"\x00\x01\x02"))


def on_data(channel, data):
    seen["messages"].append(list(data.get_data()))
    channel.emit("close")


def on_handoff(_sink, buffer, _pad):
    meta = buffer.get_custom_meta("GstRtcMessageMeta")
    if meta:
        structure = meta.get_structure()
        seen["meta"] = [structure.get_value("label"), structure.get_value("text")]


pipeline = Gst.parse_launch(LINE)
for name in ("s", "r"):
    pipeline.get_by_name(name).connect("on-data-channel", on_channel)
pipeline.get_by_name("out").connect("handoff", on_handoff)
pipeline.set_state(Gst.State.PLAYING)
GLib.timeout_add_seconds(20, loop.quit)
loop.run()
pipeline.set_state(Gst.State.NULL)
print(json.dumps({"ok": True, **seen}))
