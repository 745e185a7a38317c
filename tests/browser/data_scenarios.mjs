// SPDX-License-Identifier: MPL-2.0
// Data channels between a browser and `data-peer`, a program of ours. Descriptions go through its stdin
// and stdout.
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";

// The program, and all that it told.
export function startPeer(path) {
  const child = spawn(path, { stdio: ["pipe", "pipe", "inherit"] });
  const told = [];
  const waiting = [];
  const check = () => {
    for (const wait of [...waiting]) {
      const found = told.find(wait.matches);
      if (found) {
        waiting.splice(waiting.indexOf(wait), 1);
        clearTimeout(wait.timer);
        wait.resolve(found);
      }
    }
  };
  createInterface({ input: child.stdout }).on("line", (line) => {
    told.push(JSON.parse(line));
    check();
  });
  return {
    told,
    tell: (order) => child.stdin.write(`${JSON.stringify(order)}\n`),
    end: () => child.stdin.end(),
    until: (what, matches, seconds = 20) =>
      new Promise((resolve, reject) => {
        const late = () => reject(new Error(`the peer told no ${what}: ${JSON.stringify(told.filter((line) => !line.sdp).slice(-20))}`));
        waiting.push({ matches, resolve, timer: setTimeout(late, seconds * 1000) });
        check();
      }),
  };
}

// In the page: what every scenario uses.
export function prepare() {
  const box = (window.box = { pc: new RTCPeerConnection(), channels: {}, trace: [] });
  box.hash = (bytes) => {
    let hash = 0x811c9dc5;
    for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
    return hash;
  };
  box.pattern = (size, text) => {
    if (!text) return Uint8Array.from({ length: size }, (_, at) => (at * 31 + Math.floor(at / 251)) & 255);
    const characters = ["a", "ß", "☕", "🦀", "\u{10ffff}"];
    const sizes = [1, 2, 3, 4, 4];
    const parts = [];
    let length = 0;
    for (let at = 0; length + sizes[at % 5] <= size; at++) {
      parts.push(characters[at % 5]);
      length += sizes[at % 5];
    }
    return parts.join("") + ".".repeat(size - length);
  };
  box.bytes = (data) => (typeof data === "string" ? new TextEncoder().encode(data) : new Uint8Array(data));
  box.watch = (channel, echo) => {
    box.channels[channel.label] = channel;
    channel.binaryType = "arraybuffer";
    channel.received = [];
    for (const name of ["open", "closing", "close", "error"]) {
      channel.addEventListener(name, () => box.trace.push(`${channel.label} ${name}`));
    }
    channel.addEventListener("message", ({ data }) => {
      const bytes = box.bytes(data);
      channel.received.push({ size: bytes.length, text: typeof data === "string", hash: box.hash(bytes) });
      if (echo) channel.send(data);
    });
    return channel;
  };
  box.gathered = () =>
    new Promise((resolve) => {
      const check = () => box.pc.iceGatheringState === "complete" && resolve(box.pc.localDescription.sdp);
      box.pc.addEventListener("icegatheringstatechange", check);
      check();
    });
  box.until = async (what, fn, seconds = 30) => {
    const end = Date.now() + seconds * 1000;
    for (;;) {
      const value = fn();
      if (value) return value;
      if (Date.now() > end) throw new Error(`no ${what}: ${box.trace.join(", ")} ${JSON.stringify(Object.values(box.channels).map((c) => [c.label, c.readyState, c.received.length, c.bufferedAmount]))}`);
      await new Promise((done) => setTimeout(done, 10));
    }
  };
  box.pc.addEventListener("datachannel", ({ channel }) => {
    box.trace.push(`${channel.label} datachannel ${channel.readyState}`);
    box.watch(channel, channel.label.startsWith("echo"));
  });
}

export async function negotiate(page, peer, offerer) {
  if (offerer === "page") {
    const offer = await page.evaluate(async () => {
      await box.pc.setLocalDescription();
      return box.gathered();
    });
    peer.tell({ cmd: "offer", sdp: offer });
    const { sdp } = await peer.until("answer", (line) => line.event === "answer");
    await page.evaluate((sdp) => box.pc.setRemoteDescription({ type: "answer", sdp }), sdp);
  } else {
    const { sdp } = await peer.until("offer", (line) => line.event === "offer");
    const answer = await page.evaluate(async (sdp) => {
      await box.pc.setRemoteDescription({ type: "offer", sdp });
      await box.pc.setLocalDescription();
      return box.gathered();
    }, sdp);
    peer.tell({ cmd: "answer", sdp: answer });
  }
}

// Every size, text and binary, from the page and back.
export async function data_echo(page, job) {
  const peer = startPeer(job.peer);
  await page.evaluate(prepare);
  await page.evaluate(() => box.watch(box.pc.createDataChannel("echo", { protocol: "p" })));
  await negotiate(page, peer, "page");
  const result = await page.evaluate(async (sizes) => {
    const { echo } = box.channels;
    await box.until("open", () => echo.readyState === "open");
    const bad = [];
    for (const size of sizes) {
      for (const text of [false, true]) {
        const data = box.pattern(size, text);
        const before = echo.received.length;
        echo.send(data);
        const got = await box.until(`echo of ${size}`, () => echo.received[before]);
        const same = got.size === size && got.text === text && got.hash === box.hash(box.bytes(data));
        if (!same) bad.push({ size, text, got });
      }
    }
    return { bad, count: echo.received.length, id: echo.id, limit: box.pc.sctp.maxMessageSize };
  }, job.sizes);
  const { label, protocol, id } = await peer.until("open", (line) => line.event === "open");
  peer.tell({ cmd: "stats" });
  const { sctp } = await peer.until("stats", (line) => line.event === "stats");
  peer.end();
  return { ...result, told: { label, protocol, id }, sctp };
}

// Every size from the peer, whose offer it is; and one byte too many.
export async function data_from_peer(page, job) {
  const peer = startPeer(job.peer);
  await page.evaluate(prepare);
  peer.tell({ cmd: "open", key: "1", label: "echo", protocol: "q", ordered: false, maxRetransmits: 1000 });
  await negotiate(page, peer, "peer");
  await peer.until("open", (line) => line.event === "open" && line.key === "1");
  const channel = await page.evaluate(async () => {
    const { echo } = await box.until("datachannel", () => box.channels.echo && box.channels);
    return { protocol: echo.protocol, ordered: echo.ordered, maxRetransmits: echo.maxRetransmits, id: echo.id };
  });
  let count = 0;
  const bad = [];
  for (const size of job.sizes) {
    for (const text of [false, true]) {
      peer.tell({ cmd: "send", key: "1", size, text });
      count += 1;
      const nth = (line) => line.event === "message" && peer.told.filter((l) => l.event === "message").indexOf(line) === count - 1;
      const got = await peer.until(`echo of ${size}`, nth);
      const hash = await page.evaluate((size, text) => box.hash(box.bytes(box.pattern(size, text))), size, text);
      if (got.size !== size || got.text !== text || got.hash !== hash) bad.push({ size, text, got, hash });
    }
  }
  let refused = null;
  if (job.tooLarge) {
    peer.tell({ cmd: "send", key: "1", size: job.tooLarge, text: false });
    refused = (await peer.until("refusal", (line) => line.event === "refused")).text;
  }
  const trace = await page.evaluate(() => box.trace);
  peer.end();
  return { bad, count, channel, refused, trace };
}

// Life cycles: who closes what, what both sides are told, ids used again, a negotiated channel.
export async function data_life(page, job) {
  const peer = startPeer(job.peer);
  await page.evaluate(prepare);
  await page.evaluate(() => {
    for (const label of ["ours", "theirs", "echo"]) box.watch(box.pc.createDataChannel(label));
    box.watch(box.pc.createDataChannel("fixed", { negotiated: true, id: 7 }));
  });
  peer.tell({ cmd: "open", key: "7", label: "fixed", negotiated: true, id: 7 });
  await negotiate(page, peer, "page");
  const opened = (label) => peer.until(`open of ${label}`, (line) => line.event === "open" && line.label === label);
  const closed = (key) => peer.until(`close of ${key}`, (line) => line.event === "closed" && line.key === key);
  const keys = {};
  for (const label of ["ours", "theirs", "echo", "fixed"]) keys[label] = (await opened(label)).key;
  await page.evaluate(() => box.until("open", () => box.channels.fixed.readyState === "open"));
  const { id, idOfTheirs } = await page.evaluate(() => {
    const { ours, theirs, fixed } = box.channels;
    const ids = { id: ours.id, idOfTheirs: theirs.id };
    fixed.send("to the peer");
    ours.send("last words");
    ours.close();
    return ids;
  });
  peer.tell({ cmd: "send", key: "7", size: 20, text: true });
  peer.tell({ cmd: "send", key: keys.theirs, size: 30000, text: false });
  peer.tell({ cmd: "close", key: keys.theirs });
  await closed(keys.ours);
  await closed(keys.theirs);
  await page.evaluate(() =>
    box.until("closed", () => ["ours", "theirs"].every((label) => box.channels[label].readyState === "closed")),
  );
  const received = await page.evaluate(() => [box.channels.theirs.received.length, box.channels.fixed.received.length]);
  const again = await page.evaluate(async () => {
    const channel = box.watch(box.pc.createDataChannel("again"));
    await box.until("open", () => channel.readyState === "open");
    channel.send("on a stream used before");
    return channel.id;
  });
  keys.again = (await opened("again")).key;
  await peer.until("message", (line) => line.event === "message" && line.key === keys.again);
  await page.evaluate(() => box.pc.close());
  await peer.until("end", (line) => line.event === "ended");
  await closed(keys.again);
  const told = peer.told.filter((line) => line.key).map(({ event, key, error }) => `${Object.keys(keys).find((label) => keys[label] === key)} ${event}${error ? " error" : ""}`);
  const trace = await page.evaluate(() => box.trace);
  const words = peer.told.filter((line) => line.event === "message").length;
  peer.end();
  return { id, idOfTheirs, again, received, told, trace, words };
}
