// SPDX-License-Identifier: MPL-2.0
// One end of a data channel by node-datachannel (libdatachannel): sends as fast as it can, or counts.
// Usage: data_node.mjs send SIZE | data_node.mjs receive; the same lines as data_webrtcbin.py.
import { createInterface } from "node:readline";
import ndc from "node-datachannel";

const [role, size] = process.argv.slice(2);
const AHEAD = 2 * 1024 * 1024;
const peer = new ndc.PeerConnection(role, { iceServers: [], maxMessageSize: 262144 });
let received = 0;
const kept = [];

peer.onGatheringStateChange((state) => {
  if (state !== "complete") return;
  const { type, sdp } = peer.localDescription();
  console.log(JSON.stringify({ type, sdp }));
});
peer.onDataChannel((channel) => {
  kept.push(channel);
  channel.onMessage((message) => (received += message.length));
});
createInterface({ input: process.stdin }).on("line", (line) => {
  if (line === "count") return console.log(received);
  const { type, sdp } = JSON.parse(line);
  peer.setRemoteDescription(sdp, type);
});
if (role === "send") {
  const channel = peer.createDataChannel("bench");
  kept.push(channel);
  const message = Buffer.alloc(Number(size));
  const fill = () => {
    while (channel.isOpen() && channel.bufferedAmount() < AHEAD) channel.sendMessageBinary(message);
  };
  channel.setBufferedAmountLowThreshold(AHEAD / 2);
  channel.onBufferedAmountLow(fill);
  channel.onOpen(fill);
}
