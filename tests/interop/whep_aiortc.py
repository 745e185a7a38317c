# SPDX-License-Identifier: MPL-2.0
"""aiortc as a WHEP viewer: prints one line of JSON.

Usage: whep_aiortc.py URL SECONDS
"""
import asyncio
import json
import sys
import urllib.request

from aiortc import RTCPeerConnection, RTCSessionDescription

URL, SECONDS = sys.argv[1], float(sys.argv[2])


async def consume(track, counts):
    while True:
        frame = await track.recv()
        counts[track.kind] += 1
        if track.kind == "video":
            counts["width"] = frame.width


def post(sdp):
    request = urllib.request.Request(URL, sdp.encode(), {"Content-Type": "application/sdp"})
    with urllib.request.urlopen(request, timeout=15) as response:
        return response.read().decode(), response.headers["Location"]


async def main():
    counts = {"video": 0, "audio": 0}
    states = []
    pc = RTCPeerConnection()
    pc.addTransceiver("video", direction="recvonly")
    pc.addTransceiver("audio", direction="recvonly")
    tasks = []
    pc.on("track", lambda track: tasks.append(asyncio.ensure_future(consume(track, counts))))
    pc.on("connectionstatechange", lambda: states.append(pc.connectionState))
    await pc.setLocalDescription(await pc.createOffer())
    answer, location = await asyncio.to_thread(post, pc.localDescription.sdp)
    await pc.setRemoteDescription(RTCSessionDescription(answer, "answer"))
    await asyncio.sleep(SECONDS)
    print(json.dumps({"ok": True, **counts, "states": states, "location": location}))
    for task in tasks:
        task.cancel()
    await pc.close()


asyncio.run(main())
