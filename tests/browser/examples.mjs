// SPDX-License-Identifier: MPL-2.0
// Clicks through the pages of examples/, and steers pipelines from pages.
import { readFileSync } from "node:fs";

async function until(what, look, seconds = 20) {
  const end = Date.now() + seconds * 1000;
  for (;;) {
    const value = await look();
    if (value) return value;
    if (Date.now() > end) throw new Error(`no ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

// Where on the page a place of the picture is.
const onPage = (page, x, y) =>
  page.evaluate(
    (x, y) => {
      const video = document.querySelector("video");
      const box = video.getBoundingClientRect();
      const scale = Math.min(box.width / video.videoWidth, box.height / video.videoHeight);
      const left = box.left + (box.width - video.videoWidth * scale) / 2;
      const top = box.top + (box.height - video.videoHeight * scale) / 2;
      return { x: left + x * scale, y: top + y * scale, width: video.videoWidth, height: video.videoHeight };
    },
    x,
    y,
  );

async function clickPicture(page, x, y) {
  await until("picture", () => page.evaluate(() => document.querySelector("video")?.videoWidth > 0));
  const place = await onPage(page, x, y);
  await page.mouse.click(place.x, place.y);
  return place;
}

// Reads the number drawn in each frame that is presented, and what the robot's page matched to it.
export async function robot(page, job) {
  await page.evaluateOnNewDocument(() => {
    const seen = (window.seen = { drawn: new Map(), said: new Map(), stamps: new Set() });
    document.addEventListener("robot", ({ detail: { said, metadata } }) => {
      seen.said.set(metadata.rtpTimestamp, said.data);
    });
    addEventListener("DOMContentLoaded", () => {
      const video = document.querySelector("video");
      const canvas = document.createElement("canvas");
      const context = canvas.getContext("2d", { willReadFrequently: true });
      const look = (now, { rtpTimestamp, width, height }) => {
        video.requestVideoFrameCallback(look);
        [canvas.width, canvas.height] = [width, height];
        context.drawImage(video, 0, 0);
        const row = context.getImageData(0, height - 12, width, 1).data;
        let number = 0;
        for (let bit = 0; bit < 16; bit++) {
          if (row[4 * Math.floor(((bit + 0.5) * width) / 16)] > 125) number |= 1 << bit;
        }
        seen.drawn.set(rtpTimestamp, number);
      };
      video.requestVideoFrameCallback(look);
    });
  });
  await page.goto(job.url, { waitUntil: "domcontentloaded" });
  await until("telemetry", () => page.evaluate(() => window.seen.said.size > 0));
  await new Promise((resolve) => setTimeout(resolve, (job.seconds ?? 4) * 1000));
  const frames = await page.evaluate(() =>
    [...window.seen.drawn].map(([rtp, drawn]) => ({ rtp, drawn, said: window.seen.said.get(rtp)?.frame ?? null })),
  );
  const place = await clickPicture(page, 160, 90);
  await page.keyboard.press("ArrowLeft");
  // It goes there, and says so.
  await until("robot at its goal", () => page.evaluate(() => {
    const last = [...window.seen.said.values()].at(-1);
    return Math.abs(last.x - 120) < 3 && Math.abs(last.y - 90) < 3;
  }));
  // What was presented before the channel opened has no telemetry.
  const first = frames.findIndex((frame) => frame.said !== null);
  return { frames: frames.slice(first), place };
}

// Clicks the player page's picture, scrolls and types over it.
export async function steerPlayer(page, job) {
  await page.goto(job.url, { waitUntil: "domcontentloaded" });
  await until("control channel", () => page.evaluate(() => window.rtc?.channels.some((c) => c.label === "control" && c.readyState === "open")));
  const place = await clickPicture(page, job.x, job.y);
  await page.mouse.wheel({ deltaY: 100 });
  await page.keyboard.press("Enter");
  await page.keyboard.press("!");
  return { place };
}

// The remote control of npm gstwebrtc-api, over the control channel, in place of the page's own.
export async function gstwebrtcApi(page, job) {
  const read = (name) => readFileSync(new URL(`../node_modules/gstwebrtc-api/src/${name}`, import.meta.url), "utf8");
  const plain = (text) => text.replace(/^import .*$/gm, "").replace(/^export default (?=function)/gm, "").replace(/^export default .*$/gm, "");
  const source = `window.RemoteController = (() => { ${plain(read("keysyms.js"))}\n${plain(read("remote-controller.js"))}\nreturn RemoteController; })()`;
  await page.evaluateOnNewDocument(source);
  await page.evaluateOnNewDocument(() => {
    window.answers = [];
    document.addEventListener("rtc-datachannel", (event) => {
      if (event.detail.channel.label !== "control") return;
      event.stopImmediatePropagation();
      const controller = new window.RemoteController(event.detail.channel, { sessionId: "s" });
      controller.addEventListener("controlResponse", ({ detail }) => window.answers.push(detail));
      controller.attachVideoElement(document.querySelector("video"));
      window.controller = controller;
    });
  });
  await page.goto(job.url, { waitUntil: "domcontentloaded" });
  await until("control channel", () => page.evaluate(() => window.controller?.rtcDataChannel?.readyState === "open"));
  const place = await clickPicture(page, 320, 90);
  await page.keyboard.press("ArrowRight");
  await page.evaluate(() => window.controller.sendControlRequest({ type: "nonsense" }));
  const answers = await until("answers", () => page.evaluate(() => window.answers.some((a) => a.error?.includes("nonsense")) && window.answers));
  return { place, answers };
}

// Says a word in the chat and waits for one.
export async function chat(page, job) {
  await page.evaluateOnNewDocument(() => {
    window.heard = [];
    document.addEventListener("rtc-datachannel", ({ detail: { channel } }) => {
      channel.addEventListener("message", ({ data }) => window.heard.push(data));
    });
  });
  await page.goto(job.url, { waitUntil: "domcontentloaded" });
  await until("welcome", () => page.evaluate(() => window.heard.includes("welcome")));
  await page.evaluate((word) => window.rtc.channels[0].send(word), job.says);
  await until("answer", () => page.evaluate((word) => window.heard.includes(word), job.hears));
  return { heard: await page.evaluate(() => window.heard) };
}
