# SPDX-License-Identifier: MPL-2.0
"""aiortc speaks on a data channel of its own and listens on the server's: prints one line of JSON.

Usage: whep_data_aiortc.py URL
"""
import asyncio
import json
import sys
import urllib.request

from aiortc import RTCPeerConnection, RTCSessionDescription

URL = sys.argv[1]
MESSAGES = [b"x", b"y" * 16384, b"z" * 65536, "text", "\N{EURO SIGN}\U0001d11e" * 1000]


def post(sdp):
    request = urllib.request.Request(URL, sdp.encode(), {"Content-Type": "application/sdp"})
    with urllib.request.urlopen(request, timeout=15) as response:
        return response.read().decode()


async def main():
    pc = RTCPeerConnection()
    back, labels = asyncio.Queue(), []
    talk = pc.createDataChannel("talk", protocol="test")
    ready = asyncio.Event()
    theirs = asyncio.Event()
    talk.on("open", ready.set)

    def take(channel):
        labels.append(channel.label)
        channel.on("message", back.put_nowait)
        theirs.set()

    pc.on("datachannel", take)
    await pc.setLocalDescription(await pc.createOffer())
    answer = await asyncio.to_thread(post, pc.localDescription.sdp)
    await pc.setRemoteDescription(RTCSessionDescription(answer, "answer"))
    await asyncio.wait_for(asyncio.gather(ready.wait(), theirs.wait()), 15)
    equal = 0
    for message in MESSAGES:
        talk.send(message)
        equal += await asyncio.wait_for(back.get(), 10) == message
    print(json.dumps({"ok": True, "equal": equal, "sent": len(MESSAGES), "labels": labels}))
    await pc.close()


asyncio.run(main())
