# SPDX-License-Identifier: MPL-2.0
"""aiortc as a WHEP viewer that takes telephone-event: prints one line of JSON with the packets it decrypted.

Usage: dtmf_aiortc.py URL SECONDS
"""
import asyncio
import json
import sys
import time
import urllib.request

import pylibsrtp
from aiortc import RTCPeerConnection, RTCRtpCodecParameters, RTCSessionDescription
from aiortc.codecs import CODECS

URL, SECONDS = sys.argv[1], float(sys.argv[2])
EVENT = RTCRtpCodecParameters(mimeType="audio/telephone-event", clockRate=8000, channels=1, payloadType=101)
CODECS["audio"][:] = [codec for codec in CODECS["audio"] if codec.mimeType == "audio/PCMU"] + [EVENT]

packets = []
unprotect = pylibsrtp.Session.unprotect


def tap(session, packet):
    plain = unprotect(session, packet)
    packets.append((round(time.monotonic() * 1000), plain))
    return plain


pylibsrtp.Session.unprotect = tap


def post(sdp):
    request = urllib.request.Request(URL, sdp.encode(), {"Content-Type": "application/sdp"})
    with urllib.request.urlopen(request, timeout=15) as response:
        return response.read().decode()


async def main():
    pc = RTCPeerConnection()
    pc.addTransceiver("audio", direction="recvonly")
    await pc.setLocalDescription(await pc.createOffer())
    answer = await asyncio.to_thread(post, pc.localDescription.sdp)
    await pc.setRemoteDescription(RTCSessionDescription(answer, "answer"))
    await asyncio.sleep(SECONDS)
    await pc.close()
    told = [{"at": at, "head": plain[:12].hex(), "rest": plain[12:].hex() if plain[1] & 0x7F == 101 else ""} for at, plain in packets]
    print(json.dumps({"ok": True, "answer": answer, "packets": told}))


asyncio.run(main())
