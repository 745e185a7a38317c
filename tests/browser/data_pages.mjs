// SPDX-License-Identifier: MPL-2.0
// Data channels between the pages that `rtcsink` serves and its pipeline, which sends back on `data_0` what
// the page says on `talk`.

// Runs before the page's own scripts.
function prepare() {
  const box = (window.box = { received: [], trace: [] });
  document.addEventListener("rtc-datachannel", ({ detail: { channel } }) => {
    channel.binaryType = "arraybuffer";
    if (channel.label === "data_0") {
      channel.addEventListener("message", ({ data }) => box.received.push(data));
      return;
    }
    box.trace.push(`${channel.label} ${channel.readyState}`);
    for (const name of ["open", "message", "closing", "close", "error"]) {
      channel.addEventListener(name, () => box.trace.push(`${name} ${channel.readyState}`));
    }
  });
}

async function echo(sizes) {
  const wait = async (what, done) => {
    const end = performance.now() + 20_000;
    while (!done()) {
      if (performance.now() > end) throw new Error(`no ${what}`);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  };
  const digest = async (data) => {
    const bytes = typeof data === "string" ? new TextEncoder().encode(data) : data;
    return [...new Uint8Array(await crypto.subtle.digest("SHA-256", bytes))].join(",");
  };
  await wait("connection", () => window.rtc.pc?.connectionState === "connected");
  const talk = window.rtc.pc.createDataChannel("talk");
  await wait("open channels", () => talk.readyState === "open" && window.rtc.channels.some((c) => c.label === "data_0"));
  const planes = Array.from({ length: 17 }, (_, plane) => String.fromCodePoint(plane * 0x10000 + 0x41)).join("");
  const messages = [planes, "", ...sizes.map((size) => Uint8Array.from({ length: size }, (_, at) => (at * 31 + size) & 255))];
  messages.push(..."x".repeat(3).split("").map((x, at) => x.repeat(sizes.at(-1) >> at)));
  const { received } = window.box;
  const bad = [];
  for (const message of messages) {
    const before = received.length;
    talk.send(message);
    await wait(`echo of ${message.length ?? message.byteLength}`, () => received.length > before);
    const back = received[before];
    const same = (typeof back === "string") === (typeof message === "string") && (await digest(back)) === (await digest(message));
    if (!same) bad.push({ sent: message.length, got: back.length ?? back.byteLength, kind: typeof back });
  }
  return { bad, count: messages.length, max: window.rtc.pc.sctp.maxMessageSize };
}

// Says messages of all sizes and hears them again.
export async function dataPages(page, job) {
  await page.evaluateOnNewDocument(prepare);
  await page.goto(job.url, { waitUntil: "domcontentloaded" });
  const result = await page.evaluate(echo, job.sizes);
  const end = Date.now() + 10_000;
  let trace = [];
  while (!trace.some((line) => line.startsWith("close ")) && Date.now() < end) {
    await new Promise((resolve) => setTimeout(resolve, 50));
    trace = await page.evaluate(() => window.box.trace);
  }
  return { ...result, trace };
}
