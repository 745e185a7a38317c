# SPDX-License-Identifier: MPL-2.0
"""aiortc as a WHIP and WHEP server of one session: prints `serving`, and one line of JSON when it is deleted.

Usage: serve_aiortc.py PORT
POST /whip takes a publisher, POST /whep a viewer, POST /counter makes a viewer an offer of its own. The first POST is told to come again (409), the second is
redirected (307).
"""
import asyncio
import json
import sys

from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import AudioStreamTrack, VideoStreamTrack

counts = {"video": 0, "audio": 0}
requests, tasks = [], []
# Without servers: aiortc waits five seconds for a public one otherwise.
pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
done = asyncio.Event()


async def consume(track):
    while True:
        await track.recv()
        counts[track.kind] += 1


async def answer(path, sdp):
    pc.on("track", lambda track: tasks.append(asyncio.ensure_future(consume(track))))
    await pc.setRemoteDescription(RTCSessionDescription(sdp, "offer"))
    if path == "/whep":
        pc.addTrack(VideoStreamTrack())
        pc.addTrack(AudioStreamTrack())
    await pc.setLocalDescription(await pc.createAnswer())
    return pc.localDescription.sdp


async def counter_offer():
    for track in (VideoStreamTrack(), AudioStreamTrack()):
        pc.addTransceiver(track, direction="sendonly")
    await pc.setLocalDescription(await pc.createOffer())
    return pc.localDescription.sdp


async def respond(method, path, body):
    posts = sum(request.startswith("POST") for request in requests)
    if method == "DELETE":
        done.set()
        return "200 OK", [], ""
    if method == "PATCH":
        await pc.setRemoteDescription(RTCSessionDescription(body, "answer"))
        return "204 No Content", [], ""
    if method != "POST":
        return "405 Method Not Allowed", [], ""
    if posts == 1:
        return "409 Conflict", ["Retry-After: 1"], "not live yet"
    if posts == 2:
        return "307 Temporary Redirect", ["Location: " + path], ""
    headers = ["Content-Type: application/sdp", "Location: /session/1", 'ETag: "1"']
    if path == "/counter":
        return "406 Not Acceptable", headers, await counter_offer()
    return "201 Created", headers, await answer(path, body)


async def handle(reader, writer):
    try:
        while head := (await reader.readuntil(b"\r\n\r\n")).decode():
            method, path, _ = head.split(" ", 2)
            length = [line[15:] for line in head.lower().splitlines() if line.startswith("content-length:")]
            body = (await reader.readexactly(int(length[0]) if length else 0)).decode()
            requests.append(f"{method} {path}")
            status, headers, text = await respond(method, path, body)
            headers = [f"HTTP/1.1 {status}", *headers, f"Content-Length: {len(text)}", "", text]
            writer.write("\r\n".join(headers).encode())
            await writer.drain()
    except asyncio.IncompleteReadError:
        writer.close()


async def main():
    server = await asyncio.start_server(handle, "127.0.0.1", int(sys.argv[1]))
    print("serving", flush=True)
    await done.wait()
    print(json.dumps({"ok": True, **counts, "requests": requests}), flush=True)
    for task in tasks:
        task.cancel()
    await pc.close()
    server.close()


asyncio.run(main())
