# SPDX-License-Identifier: MPL-2.0
"""Sessions by properties, signals and actions alone, as Python has them: prints one line of JSON.

Two elements negotiate by hand, their messages carried by this script."""
import json

import gi

gi.require_version("Gst", "1.0")
from gi.repository import Gio, GLib, Gst  # noqa: E402,F401  Gio has the list that `sessions` is

Gst.init(None)
SINK = "videotestsrc is-live=true ! video/x-raw,width=64,height=48 ! rtcsink name=e {}"
SRC = "rtcsrc name=e {} ! fakesink"
COMMON = "uri={} udp-port=0 quiet=true manual-negotiation={}"
loop = GLib.MainLoop()
seen = {"states": [], "bus": [], "errors": []}
sessions = {}


def nick(session, name):
    return session.get_property(name).value_nick


def start(who, line, uri, manual):
    pipeline = Gst.parse_launch(line.format(COMMON.format(uri, str(manual).lower())))
    element = pipeline.get_by_name("e")
    element.connect("session-added", on_session, who)
    bus = pipeline.get_bus()
    bus.add_signal_watch()
    bus.connect("message::element", on_message, who)
    signaller = element.get_child_by_name("signaller") if uri == "application:" else None
    pipeline.set_state(Gst.State.PLAYING)
    return pipeline, element, signaller


def on_message(_bus, message, who):
    structure = message.get_structure()
    if structure.get_name() == "rtc-event" and who == "sink":
        seen["bus"].append(f"{structure.get_value('object')} {structure.get_value('event')}")


def on_session(_element, session, who):
    sessions[who] = session
    note = lambda session, _spec: seen["states"].append(f"{who} {nick(session, 'signaling-state')}")
    session.connect("notify::signaling-state", note)
    session.connect("notify::connection-state", on_connection, who)
    if "sink" in sessions and "src" in sessions:
        GLib.idle_add(negotiate)


def on_connection(session, _spec, who):
    if all(nick(s, "connection-state") == "connected" for s in sessions.values()):
        GLib.idle_add(finish)


def ask(session, action, *arguments):
    """The reply to an action; not on a thread of the elements, which would wait for itself."""
    promise = Gst.Promise.new()
    session.emit(action, *arguments, promise)
    promise.wait()
    reply = promise.get_reply()
    if reply.has_field("error"):
        seen["errors"].append([action, reply.get_value("error-name"), reply.get_value("error").domain])
    return reply


def negotiate():
    sink, src = sessions["sink"], sessions["src"]
    ask(sink, "create-answer", None)
    offer = ask(sink, "create-offer", None).get_value("sdp")
    ask(sink, "set-local-description", "offer", offer)
    ask(src, "set-remote-description", "offer", offer)
    answer = ask(src, "create-answer", None).get_value("sdp")
    ask(src, "set-local-description", "answer", answer)
    ask(sink, "set-remote-description", "answer", answer)
    return False


def finish():
    if "stats" in seen:
        return False
    sink, element = sessions["sink"], elements[0][1]
    listed = element.get_property("sessions")
    seen["sessions"] = [listed.get_item(at).get_property("id") for at in range(listed.get_n_items())]
    seen["same"] = element.emit("get-session", "one") == sink
    transceiver = list(sink.get_property("transceivers"))[0]
    seen["transceiver"] = [
        transceiver.get_property("mid"),
        nick(transceiver, "kind"),
        nick(transceiver, "current-direction"),
        transceiver.get_property("sender").get_property("track").get_name(),
    ]
    ice = sink.get_property("ice-transport")
    pair = ice.emit("get-selected-candidate-pair")
    seen["pair"] = pair.get_value("local").get_value("type")
    seen["role"] = nick(ice, "role")
    seen["dtls"] = nick(sink.get_property("dtls-transport"), "state")
    seen["stats"] = sorted({o["type"] for o in json.loads(ask(sink, "get-stats-json", None).get_value("stats")).values()})
    sink.emit("close")
    seen["closed"] = nick(sink, "connection-state")
    seen["told"] = len([state for state in seen["states"] if state.startswith("sink")])
    GLib.timeout_add(200, loop.quit)
    return False


elements = [start("sink", SINK, "application:", True), start("src", SRC, "application:", True)]
# What the application signaller reports: a viewer for the one, a publisher for the other.
elements[1][2].emit("session-requested", "two", "peer", "answer", "publish")
elements[0][2].emit("session-requested", "one", "peer", "offer", "view")
GLib.timeout_add_seconds(20, loop.quit)
loop.run()
for pipeline, _, _ in elements:
    pipeline.set_state(Gst.State.NULL)
print(json.dumps({"ok": True, **seen}))
