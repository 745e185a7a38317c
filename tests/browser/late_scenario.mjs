// SPDX-License-Identifier: MPL-2.0
// How far a picture is behind: the sender writes the time into each frame (tests/browser/late_sender.py).

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// In the page: the newest frame's age in ms, by the brightness of its halves; -1 without a picture.
const age = () => {
  const video = [...document.querySelectorAll("video")].find((v) => v.videoWidth > 0);
  if (!video) return -1;
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [video.videoWidth, video.videoHeight];
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(video, 0, 0);
  const level = (x) => {
    const [r, g, b] = context.getImageData(Math.floor(canvas.width * x), canvas.height >> 1, 1, 1).data;
    const luma = ((r + g + b) / 3 / 255) * 219;
    return Math.round(luma / 2);
  };
  const tick = level(0.75) * 100 + level(0.25);
  const now = ((Date.now() * 30) / 1000) % 10000;
  return (((now - tick + 10000) % 10000) * 1000) / 30;
};

// Joins `rounds` times at whatever moment: the time to the first frame, and the picture's age over 4 s.
export async function late(page, job) {
  const joined = [];
  for (let round = 0; round < job.rounds; round += 1) {
    await page.goto("about:blank");
    await pause(700);
    await page.goto(job.url, { waitUntil: "domcontentloaded" });
    await page.waitForFunction(() => window.__marks.frame !== null, { timeout: 20000 });
    const first = await page.evaluate(() => window.__marks.frame - window.__marks.offer);
    const ages = [];
    for (let at = 0; at < 16; at += 1) {
      ages.push(Math.round(await page.evaluate(age)));
      await pause(250);
    }
    joined.push({ first: Math.round(first), ages });
  }
  return { joined };
}

// How long frames wait in the jitter buffer, ms, over two seconds that begin two seconds after the first.
export async function waiting(page, job) {
  await page.goto(job.url, { waitUntil: "domcontentloaded" });
  await page.waitForFunction(() => window.__marks.frame !== null, { timeout: 20000 });
  const buffer = () =>
    page.evaluate(async () => {
      const report = await window.__marks.pcs[0].getStats();
      const video = [...report.values()].find((s) => s.type === "inbound-rtp" && s.kind === "video");
      return { delay: video.jitterBufferDelay, frames: video.jitterBufferEmittedCount };
    });
  await pause(2000);
  const before = await buffer();
  await pause(2000);
  const after = await buffer();
  return { ms: ((after.delay - before.delay) / (after.frames - before.frames)) * 1000 };
}
