// SPDX-License-Identifier: MPL-2.0
// Data channels of libwebrtc in Node.js (@roamhq/wrtc), werift and libdatachannel: speaks on a channel of its own, hears
// itself on the server's, sees one closed and closes one. Prints one line of JSON.
// Usage: data_node.mjs @roamhq/wrtc|werift|node-datachannel/polyfill WHEP-URL
import { createRequire } from "node:module";

const [library, url] = process.argv.slice(2);
const { RTCPeerConnection } = createRequire(import.meta.url)(library);
const pc = new RTCPeerConnection({ iceServers: [] });
const trace = [];
const back = [];

const bytes = (data) => (typeof data === "string" ? data : Buffer.from(data).toString("base64"));

// W3C's events where the library has them, its own ones otherwise.
function watch(channel) {
  const note = (what) => trace.push(`${channel.label} ${what}`);
  if (channel.stateChanged) channel.stateChanged.subscribe(note);
  else for (const name of ["open", "closing", "close", "error"]) channel.addEventListener(name, () => note(name === "close" ? "closed" : name));
  channel.binaryType = "arraybuffer";
  channel.onmessage = ({ data }) => channel.label === "data_0" && back.push(bytes(data));
  return channel;
}

async function until(what, done) {
  const end = Date.now() + 15000;
  while (!done()) {
    if (Date.now() > end) throw new Error(`no ${what}: ${trace}, ${back.length} came back`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

async function main() {
  if (pc.onDataChannel) pc.onDataChannel.subscribe(watch);
  else pc.ondatachannel = ({ channel }) => watch(channel);
  // werift chooses by its role in ICE whether its streams are even or odd, not by that in DTLS (RFC 8832 §6): it is told one.
  const own = library === "werift" ? { protocol: "test", id: 100 } : { protocol: "test" };
  const talk = watch(pc.createDataChannel("talk", own));
  await pc.setLocalDescription(await pc.createOffer());
  await until("candidates", () => pc.iceGatheringState === "complete");
  const response = await fetch(url, { method: "POST", body: pc.localDescription.sdp, headers: { "Content-Type": "application/sdp" } });
  await pc.setRemoteDescription({ type: "answer", sdp: await response.text() });
  await until("open channel", () => talk.readyState === "open");
  const messages = [Buffer.from("x"), Buffer.alloc(1200, 1), Buffer.alloc(16384, 2), Buffer.alloc(65536, 3), "text", "€𝄞".repeat(1000)];
  let equal = 0;
  for (const message of messages) {
    const before = back.length;
    talk.send(message);
    await until("echo", () => back.length > before);
    equal += back[before] === bytes(message);
  }
  await until("end of data_1", () => trace.includes("data_1 closed"));
  talk.close();
  await until("end of talk", () => trace.includes("talk closed"));
  console.log(JSON.stringify({ ok: true, equal, sent: messages.length, trace, states: [talk.readyState] }));
}

await main().catch((error) => console.log(JSON.stringify({ ok: false, error: String(error.stack) })));
process.exit(0);
