# SPDX-License-Identifier: MPL-2.0
"""aiortc as a WHEP viewer that asks for keyframes all the time: prints one line of JSON.

Usage: whep_flood_aiortc.py URL SECONDS REQUESTS_PER_SECOND
"""
import asyncio
import json
import sys
import time
import urllib.request

from aiortc import RTCPeerConnection, RTCSessionDescription

URL, SECONDS, RATE = sys.argv[1], float(sys.argv[2]), float(sys.argv[3])


async def consume(track, counts):
    while True:
        await track.recv()
        counts["frames"] += 1


async def flood(receiver, counts):
    end = time.monotonic() + SECONDS
    start = None
    while time.monotonic() < end:
        sources = receiver.getSynchronizationSources()
        if sources:
            if start is None:
                start = time.monotonic()
                print("flooding", flush=True)
            # As many as are due, for the loop itself is slow on a busy machine.
            while counts["asked"] < (time.monotonic() - start) * RATE:
                await receiver._send_rtcp_pli(sources[0].source)
                counts["asked"] += 1
        await asyncio.sleep(0.005)


def post(sdp):
    request = urllib.request.Request(URL, sdp.encode(), {"Content-Type": "application/sdp"})
    with urllib.request.urlopen(request, timeout=15) as response:
        return response.read().decode()


async def main():
    counts = {"frames": 0, "asked": 0}
    pc = RTCPeerConnection()
    pc.addTransceiver("video", direction="recvonly")
    pc.on("track", lambda track: asyncio.ensure_future(consume(track, counts)))
    await pc.setLocalDescription(await pc.createOffer())
    answer = await asyncio.to_thread(post, pc.localDescription.sdp)
    await pc.setRemoteDescription(RTCSessionDescription(answer, "answer"))
    await flood(pc.getReceivers()[0], counts)
    print(json.dumps({"ok": True, **counts}), flush=True)
    await pc.close()


asyncio.run(main())
