// SPDX-License-Identifier: MPL-2.0
// What a browser does and measures in each scenario. Functions given to `evaluate` run in the page.
export * from "./call_page.mjs";
export * from "./data_life.mjs";
export * from "./data_pages.mjs";
export * from "./data_scenarios.mjs";
export * from "./layers_scenario.mjs";
export * from "./late_scenario.mjs";
export * from "./examples.mjs";

// Runs before the page's own scripts: notes when the first offer was applied and the first frame shown,
// and puts every peer connection where a scenario can find it.
export function instrument() {
  const marks = (window.__marks = { pcs: [], offer: null, frame: null });
  const Native = window.RTCPeerConnection;
  window.RTCPeerConnection = class extends Native {
    constructor(...args) {
      super(...args);
      marks.pcs.push(this);
      this.addEventListener("track", (event) => {
        if (event.track.kind !== "video" || marks.frame !== null) return;
        const video = document.createElement("video");
        video.muted = true;
        video.srcObject = new MediaStream([event.track]);
        video.requestVideoFrameCallback(() => (marks.frame ??= performance.now()));
        video.play().catch(() => {});
      });
    }
    setRemoteDescription(description) {
      marks.offer ??= performance.now();
      return super.setRemoteDescription(description);
    }
    setLocalDescription(description) {
      marks.offer ??= performance.now();
      return super.setLocalDescription(description);
    }
  };
}

const inboundVideo = () =>
  Promise.all(window.__marks.pcs.map((pc) => pc.getStats())).then((reports) => {
    let frames = 0, codec = null, keyframes = 0, width = 0, height = 0;
    for (const report of reports) {
      for (const stat of report.values()) {
        if (stat.type !== "inbound-rtp" || stat.kind !== "video") continue;
        frames += stat.framesDecoded ?? 0;
        keyframes += stat.keyFramesDecoded ?? 0;
        width = stat.frameWidth ?? width;
        height = stat.frameHeight ?? height;
        codec = report.get(stat.codecId)?.mimeType ?? codec;
      }
    }
    return { frames, keyframes, codec, width, height };
  });

async function until(page, what, fn, seconds = 15, ...args) {
  const end = Date.now() + seconds * 1000;
  for (;;) {
    const value = await page.evaluate(fn, ...args);
    if (value) return value;
    if (Date.now() > end) {
      const state = await page.evaluate(() => document.body.dataset.state ?? "no state");
      throw new Error(`no ${what} within ${seconds} s; the page says: ${state}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function colours(page) {
  return page.evaluate(() => {
    const video = [...document.querySelectorAll("video")].find((v) => v.videoWidth > 0);
    if (!video) return null;
    const canvas = document.createElement("canvas");
    canvas.width = video.videoWidth;
    canvas.height = video.videoHeight;
    const context = canvas.getContext("2d");
    context.drawImage(video, 0, 0);
    const at = (x) => [...context.getImageData(Math.floor(canvas.width * x), canvas.height >> 1, 1, 1).data].slice(0, 3);
    return { left: at(0.25), right: at(0.75), width: canvas.width, height: canvas.height };
  });
}

// RMS and strongest frequency of the sound that arrives, over about a second.
async function tone(page) {
  return page.evaluate(async () => {
    const track = window.__marks.pcs.flatMap((pc) => pc.getReceivers()).map((r) => r.track).find((t) => t?.kind === "audio");
    if (!track) return null;
    const context = new AudioContext();
    await context.resume();
    const source = context.createMediaStreamSource(new MediaStream([track]));
    const analyser = context.createAnalyser();
    analyser.fftSize = 8192;
    source.connect(analyser);
    const quiet = context.createGain();
    quiet.gain.value = 0;
    analyser.connect(quiet).connect(context.destination);
    let best = { rms: 0, peak: 0 };
    const end = performance.now() + 8000;
    while (performance.now() < end) {
      await new Promise((resolve) => setTimeout(resolve, 200));
      const samples = new Float32Array(analyser.fftSize);
      analyser.getFloatTimeDomainData(samples);
      const rms = Math.sqrt(samples.reduce((sum, s) => sum + s * s, 0) / samples.length);
      const bins = new Float32Array(analyser.frequencyBinCount);
      analyser.getFloatFrequencyData(bins);
      const strongest = bins.reduce((top, value, i) => (value > bins[top] ? i : top), 0);
      if (rms > best.rms) best = { rms, peak: (strongest * context.sampleRate) / analyser.fftSize };
      if (best.rms > 0.05 && performance.now() > end - 6500) break;
    }
    await context.close();
    return best;
  });
}

// Opens the page, waits until it plays, measures for `seconds`.
export async function watch(page, job) {
  await page.goto(job.url, { waitUntil: "domcontentloaded" });
  const result = {};
  if (job.video !== false) {
    await until(page, "decoded frame", () => window.__marks.frame !== null, job.patience);
    const before = await page.evaluate(inboundVideo);
    await pause((job.seconds ?? 2) * 1000);
    const after = await page.evaluate(inboundVideo);
    const marks = await page.evaluate(() => ({ offer: window.__marks.offer, frame: window.__marks.frame }));
    Object.assign(result, { before, after, firstFrameMs: marks.frame - marks.offer, colours: await colours(page) });
  }
  if (job.audio) {
    await until(page, "audio track", () => window.__marks.pcs.some((pc) => pc.getReceivers().some((r) => r.track?.kind === "audio")));
    result.tone = await tone(page);
  }
  result.state = await page.evaluate(() => document.body.dataset.state);
  return result;
}

// Opens the page ten times and reports each time from offer to first frame.
export async function firstFrames(page, job) {
  const times = [];
  for (let i = 0; i < (job.rounds ?? 10); i++) {
    await page.goto("about:blank");
    await page.goto(job.url, { waitUntil: "domcontentloaded" });
    await until(page, "decoded frame", () => window.__marks.frame !== null);
    times.push(await page.evaluate(() => window.__marks.frame - window.__marks.offer));
  }
  times.sort((a, b) => a - b);
  return { times, median: times[times.length >> 1] };
}

// What the page shows a person who waits `seconds`.
export async function look(page, job) {
  await page.goto(job.url, { waitUntil: "domcontentloaded" });
  if (job.state) {
    await until(page, `state '${job.state}'`, (wanted) => (document.body.dataset.state ?? "").startsWith(wanted), job.patience, job.state);
  } else {
    await pause((job.seconds ?? 2) * 1000);
  }
  return page.evaluate(() => ({ state: document.body.dataset.state, text: document.body.innerText }));
}

// Publishes the fake camera and microphone for `seconds`.
export async function publish(page, job) {
  await page.goto(job.url, { waitUntil: "domcontentloaded" });
  await page.click("#start");
  await until(page, "connection", () => window.__marks.pcs.some((pc) => pc.connectionState === "connected"));
  await pause((job.seconds ?? 5) * 1000);
  const sent = await page.evaluate(async () => {
    const out = [];
    for (const pc of window.__marks.pcs) {
      for (const stat of (await pc.getStats()).values()) {
        if (stat.type === "outbound-rtp") out.push({ kind: stat.kind, packets: stat.packetsSent, frames: stat.framesEncoded, nacks: stat.nackCount, plis: stat.pliCount });
      }
    }
    return out;
  });
  await page.click("#stop").catch(() => {});
  await pause(300);
  return { sent, state: await page.evaluate(() => document.body.dataset.state) };
}

// As `watch`, but every received frame passes a worker that inverts its bytes behind the codec's header.
export async function transform(page, job) {
  await page.evaluateOnNewDocument(() => {
    const source = `
      onrtctransform = (event) => {
        const { readable, writable, options } = event.transformer;
        readable.pipeThrough(new TransformStream({
          transform(frame, controller) {
            const bytes = new Uint8Array(frame.data.slice(0));
            const clear = options.kind === "audio" ? 1 : frame.type === "key" ? 10 : 3;
            for (let i = clear; i < bytes.length; i++) bytes[i] = ~bytes[i];
            frame.data = bytes.buffer;
            controller.enqueue(frame);
          },
        })).pipeTo(writable);
      };`;
    const worker = new Worker(URL.createObjectURL(new Blob([source], { type: "text/javascript" })));
    document.addEventListener("rtc-track", (event) => {
      const { receiver, track } = event.detail;
      receiver.transform = new RTCRtpScriptTransform(worker, { kind: track.kind });
    });
  });
  return watch(page, job);
}

// Publishes the fake microphone and sends `tones` on it; gives what tonechange says, with its time.
export async function dial(page, job) {
  await page.goto(job.url, { waitUntil: "domcontentloaded" });
  await page.click("#start");
  await until(page, "a sender that takes tones", () =>
    window.__marks.pcs.some((pc) => pc.connectionState === "connected" && pc.getSenders().some((s) => s.dtmf?.canInsertDTMF)), 30);
  const changes = await page.evaluate(({ tones, duration, gap }) => new Promise((resolve, reject) => {
    const dtmf = window.__marks.pcs.flatMap((pc) => pc.getSenders()).map((s) => s.dtmf).find((d) => d?.canInsertDTMF);
    const changes = [];
    const start = performance.now();
    dtmf.ontonechange = (event) => {
      changes.push({ tone: event.tone, at: Math.round(performance.now() - start) });
      if (event.tone === "") resolve(changes);
    };
    setTimeout(() => reject(new Error(`only ${JSON.stringify(changes)}`)), 20000);
    dtmf.insertDTMF(tones, duration, gap);
  }), job);
  await pause(700);
  await page.click("#stop").catch(() => {});
  await pause(300);
  return { changes };
}
