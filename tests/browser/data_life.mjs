// SPDX-License-Identifier: MPL-2.0
// Who may open and close a data channel in which way, and what both ends are told: once with `data-peer`,
// our program, at the other end, and once with another connection of the browser's.
import { negotiate, prepare, startPeer } from "./data_scenarios.mjs";

// Eight channels: opened by the page or the peer, closed by either, told by DCEP or agreed on before.
const CHANNELS = ["page", "peer"].flatMap((opener) =>
  ["page", "peer"].flatMap((closer) => [false, true].map((negotiated) => ({ opener, closer, negotiated }))),
);
CHANNELS.forEach((channel, at) => {
  channel.label = `${channel.opener}-${channel.closer}-${channel.negotiated ? "agreed" : "told"}`;
  channel.id = 100 + at;
});

// In the page: the other end by the browser itself, told and telling as data-peer is.
function browserPeer() {
  const other = new RTCPeerConnection();
  const peer = (window.other = { pc: other, channels: {}, told: [] });
  peer.watch = (channel) => {
    peer.channels[channel.label] = channel;
    for (const name of ["open", "closing", "close", "error"]) {
      channel.addEventListener(name, () => peer.told.push(`${channel.label} ${name}`));
    }
  };
  other.addEventListener("datachannel", ({ channel }) => peer.watch(channel));
  other.addEventListener("icecandidate", ({ candidate }) => box.pc.addIceCandidate(candidate ?? undefined));
  box.pc.addEventListener("icecandidate", ({ candidate }) => other.addIceCandidate(candidate ?? undefined));
  peer.connect = async () => {
    await box.pc.setLocalDescription();
    await other.setRemoteDescription(box.pc.localDescription);
    await other.setLocalDescription();
    await box.pc.setRemoteDescription(other.localDescription);
  };
}

async function openInPage(page, channels) {
  await page.evaluate((channels) => {
    for (const { label, opener, negotiated, id } of channels) {
      if (negotiated) box.watch(box.pc.createDataChannel(label, { negotiated, id }));
      else if (opener === "page") box.watch(box.pc.createDataChannel(label));
    }
  }, channels);
}

const lines = (trace, label) => trace.filter((line) => line.startsWith(`${label} `)).map((line) => line.slice(label.length + 1));

// All channels open, then each is closed by its closer, then the page or the peer closes the connection.
async function withOurs(page, job, ender) {
  const peer = startPeer(job.peer);
  await page.evaluate(prepare);
  await openInPage(page, CHANNELS);
  for (const { label, opener, negotiated, id } of CHANNELS) {
    if (negotiated || opener === "peer") peer.tell({ cmd: "open", key: String(id), label, negotiated, id });
  }
  await page.evaluate(() => box.watch(box.pc.createDataChannel("last")));
  await negotiate(page, peer, "page");
  const keys = {};
  for (const { label } of [...CHANNELS, { label: "last" }]) {
    keys[label] = (await peer.until(`open of ${label}`, (line) => line.event === "open" && line.label === label)).key;
  }
  await page.evaluate((labels) => box.until("open", () => labels.every((label) => box.channels[label]?.readyState === "open")), Object.keys(keys));
  for (const { label, closer } of CHANNELS) {
    if (closer === "page") await page.evaluate((label) => box.channels[label].close(), label);
    else peer.tell({ cmd: "close", key: keys[label] });
    await peer.until(`close of ${label}`, (line) => line.event === "closed" && line.key === keys[label]);
    await page.evaluate((label) => box.until("close", () => box.channels[label].readyState === "closed"), label);
  }
  if (ender === "page") await page.evaluate(() => box.pc.close());
  else peer.tell({ cmd: "end" });
  await peer.until("close of last", (line) => line.event === "closed" && line.key === keys.last);
  await page.evaluate(() => box.until("close", () => box.channels.last.readyState === "closed"));
  // What the browser tells of an end it tells in a task of its own.
  await page.evaluate(() => new Promise((done) => setTimeout(done, 100)));
  const trace = await page.evaluate(() => box.trace);
  const told = peer.told
    .filter((line) => ["open", "closing", "closed"].includes(line.event))
    .flatMap(({ event, key, error }) => {
      const label = Object.keys(keys).find((label) => keys[label] === key);
      const word = { open: "open", closing: "closing", closed: "close" }[event];
      return error ? [`${label} error`, `${label} ${word}`] : [`${label} ${word}`];
    });
  peer.end();
  return { trace, told };
}

async function withBrowsers(page, ender) {
  await page.evaluate(prepare);
  await page.evaluate(browserPeer);
  await openInPage(page, CHANNELS);
  const seen = await page.evaluate(async (channels, ender) => {
    for (const { label, opener, negotiated, id } of channels) {
      if (negotiated) other.watch(other.pc.createDataChannel(label, { negotiated, id }));
      else if (opener === "peer") other.watch(other.pc.createDataChannel(label));
    }
    box.watch(box.pc.createDataChannel("last"));
    await other.connect();
    const labels = [...channels.map(({ label }) => label), "last"];
    const state = (label, state) => box.channels[label]?.readyState === state && other.channels[label]?.readyState === state;
    await box.until("open", () => labels.every((label) => state(label, "open")));
    for (const { label, closer } of channels) {
      (closer === "page" ? box : other).channels[label].close();
      await box.until("close", () => state(label, "closed"));
    }
    (ender === "page" ? box : other).pc.close();
    await box.until("close", () => state("last", "closed"));
    await new Promise((done) => setTimeout(done, 100));
    return { trace: box.trace, told: other.told };
  }, CHANNELS, ender);
  return seen;
}

export async function data_matrix(page, job) {
  const result = {};
  for (const ender of ["page", "peer"]) {
    const ours = await withOurs(page, job, ender);
    const browsers = await withBrowsers(page, ender);
    const rows = [...CHANNELS, { label: "last", closer: ender }].map(({ label, closer }) => ({
      label,
      closer,
      page: [lines(ours.trace, label), lines(browsers.trace, label)],
      peer: [lines(ours.told, label), lines(browsers.told, label)],
    }));
    result[ender] = rows;
  }
  return result;
}

// The browser is killed: what the peer is told, and when.
export async function data_killed(page, job) {
  const peer = startPeer(job.peer);
  await page.evaluate(prepare);
  await page.evaluate(() => box.watch(box.pc.createDataChannel("kept")));
  await negotiate(page, peer, "page");
  const { key } = await peer.until("open", (line) => line.event === "open");
  const begun = Date.now();
  page.browser().process().kill("SIGKILL");
  const closed = await peer.until("close", (line) => line.event === "closed" && line.key === key, 90);
  const states = peer.told.filter((line) => line.event === "connection").map((line) => line.state);
  peer.end();
  return { error: closed.error, seconds: (Date.now() - begun) / 1000, states };
}
