// SPDX-License-Identifier: MPL-2.0
// A page with one peer connection to the server it came from, led step by step by the test: lines of JSON
// on stdin, `reply …` on stdout. Negotiation is word for word W3C's example (webrtc-pc §10.7).
import { createInterface } from "node:readline";

// Runs before the page's own scripts: every function of `call` is a step.
function prepare() {
  const call = (window.call = { pc: null, errors: [], trace: [], senders: new Map(), collisions: 0, signals: [] });
  const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
  let socket = null, stream = null, next = 0;

  // The last descriptions, m-line by m-line, for whoever looks for a fault.
  const jot = (from, { kind, sdp }) => {
    const lines = sdp.split("\r\nm=").slice(1).map((section) => {
      const [, media, port] = section.match(/^(\w+) (\d+)/);
      const mid = section.match(/a=mid:(\S+)/)?.[1];
      const direction = section.match(/a=(sendrecv|sendonly|recvonly|inactive)/)?.[1];
      return `${mid} ${media} ${port === "0" && !section.includes("a=bundle-only") ? "rejected" : direction}`;
    });
    call.signals = [...call.signals.slice(-11), `${from} ${kind}: ${lines.join(", ")}`];
  };

  // Signalling in order, each message late by up to `jitter` ms.
  const late = (jitter) => {
    let last = Promise.resolve();
    return (deliver) => {
      const arrives = pause(Math.random() * jitter);
      last = last.then(() => (jitter ? arrives : null)).then(deliver);
    };
  };

  const negotiate = (pc, polite, send) => {
    let makingOffer = false, ignoreOffer = false, answerPending = false;
    const describe = () => {
      const message = { type: "description", kind: pc.localDescription.type, sdp: pc.localDescription.sdp };
      jot("page", message);
      send(message);
    };
    pc.onnegotiationneeded = async () => {
      try {
        makingOffer = true;
        await pc.setLocalDescription();
        describe();
      } catch (error) {
        call.errors.push(`offer: ${error}`);
      } finally {
        makingOffer = false;
      }
    };
    pc.onicecandidate = ({ candidate }) => {
      if (candidate?.candidate === "") return;
      send({ type: "candidate", candidate: candidate?.candidate ?? null, mid: candidate?.sdpMid ?? null, index: candidate?.sdpMLineIndex ?? null });
    };
    return async (message) => {
      try {
        if (message.type === "description") {
          jot("server", message);
          const ready = !makingOffer && (pc.signalingState === "stable" || answerPending);
          const collision = message.kind === "offer" && !ready;
          call.collisions += collision;
          ignoreOffer = !polite && collision;
          if (ignoreOffer) return;
          answerPending = message.kind === "answer";
          await pc.setRemoteDescription({ type: message.kind, sdp: message.sdp });
          answerPending = false;
          if (message.kind === "offer") {
            await pc.setLocalDescription();
            describe();
          }
        } else if (message.type === "candidate") {
          const { candidate, mid, index } = message;
          await pc.addIceCandidate({ candidate: candidate ?? "", sdpMid: mid, sdpMLineIndex: index ?? 0 }).catch((error) => {
            if (!ignoreOffer) throw error;
          });
        }
      } catch (error) {
        call.errors.push(`${message.type} ${message.kind ?? message.candidate}: ${error}`);
      }
    };
  };

  const note = (pc) => {
    const seen = new Set();
    const watch = (target, event, name, state) => {
      if (!target || seen.has(target)) return;
      seen.add(target);
      call.trace.push([name, target[state]]);
      target.addEventListener(event, () => call.trace.push([name, target[state]]));
    };
    const transports = () => {
      watch(pc.sctp, "statechange", "sctp", "state");
      for (const { sender, stopped } of pc.getTransceivers()) {
        if (!stopped) watch(sender.transport, "statechange", "dtls", "state");
      }
      watch(pc.sctp?.transport, "statechange", "dtls", "state");
    };
    for (const name of ["signaling", "iceGathering", "iceConnection", "connection"]) {
      const event = `${name.toLowerCase()}statechange`;
      pc.addEventListener(event, () => {
        transports();
        call.trace.push([name, pc[`${name}State`]]);
      });
    }
  };

  // Opens the socket, captures the fake camera and microphone if they are to be sent, connects.
  call.connect = async ({ role = "call", jitter = 0, send = [], video = { width: 640, height: 480 }, channel = false }) => {
    const audio = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
    stream = await navigator.mediaDevices.getUserMedia({ audio, video });
    const pc = (call.pc = new RTCPeerConnection({ bundlePolicy: "max-bundle" }));
    note(pc);
    socket = new WebSocket(`ws://${location.host}/ws`);
    const [out, home] = [late(jitter), late(jitter)];
    const put = (message) => out(() => socket.readyState === WebSocket.OPEN && socket.send(JSON.stringify(message)));
    await new Promise((resolve, reject) => {
      socket.onopen = resolve;
      socket.onerror = () => reject(new Error("no WebSocket"));
    });
    let hear;
    const started = new Promise((resolve) => {
      socket.onmessage = ({ data }) => {
        const message = JSON.parse(data);
        if (message.type === "started") {
          call.polite = message.polite;
          hear = negotiate(pc, message.polite, put);
          resolve(message);
        } else if (message.type === "bye") {
          call.errors.push(`bye ${message.code} ${message.text}`);
        } else {
          home(() => hear(message));
        }
      };
    });
    socket.onclose = () => (call.closed = true);
    socket.send(JSON.stringify({ type: "start", role }));
    await started;
    if (channel) pc.createDataChannel("page");
    const ids = send.map((kind) => call.add({ kind }).id);
    return { polite: call.polite, ids };
  };

  const track = (kind) => stream.getTracks().find((candidate) => candidate.kind === kind);

  // Sends one more copy of the camera or the microphone.
  call.add = ({ kind }) => {
    const id = `page${next++}`;
    call.senders.set(id, call.pc.addTrack(track(kind).clone(), stream));
    return { id };
  };

  // Ends it: its transceiver by `stop`, else the track alone.
  call.remove = ({ id, stop = false }) => {
    const sender = call.senders.get(id);
    call.senders.delete(id);
    sender.track?.stop();
    if (stop) call.pc.getTransceivers().find((one) => one.sender === sender).stop();
    else call.pc.removeTrack(sender);
  };

  call.state = () => {
    const { pc, errors, collisions, signals, closed = false } = call;
    const lines = pc.getTransceivers().map(({ mid, sender, receiver, direction, currentDirection }) => ({
      mid,
      kind: receiver.track.kind,
      sends: sender.track !== null && (currentDirection ?? "").startsWith("send"),
      receives: ["sendrecv", "recvonly"].includes(currentDirection),
      live: receiver.track.readyState === "live",
      direction,
      currentDirection,
    }));
    const mlines = (pc.localDescription?.sdp.match(/^m=/gm) ?? []).length;
    return { signaling: pc.signalingState, connection: pc.connectionState, ice: pc.iceConnectionState, errors, collisions, signals, closed, mlines, lines };
  };

  // What has been decoded and sent on each m-line up to now.
  call.media = async () => {
    const media = {};
    for (const { mid, receiver, sender } of call.pc.getTransceivers()) {
      if (mid === null) continue;
      const line = (media[mid] = { kind: receiver.track.kind, decoded: 0, sent: 0 });
      for (const stat of (await receiver.getStats()).values()) {
        if (stat.type === "inbound-rtp") line.decoded += stat.framesDecoded ?? stat.packetsReceived;
      }
      for (const stat of (await sender.getStats()).values()) {
        if (stat.type === "outbound-rtp") line.sent += stat.packetsSent;
      }
    }
    return media;
  };

  const receiver = (mid) => call.pc.getTransceivers().find((one) => one.mid === mid).receiver;

  // The colours in the middle of the left and the right half of what is shown.
  call.look = async ({ mid }) => {
    const video = document.createElement("video");
    video.muted = true;
    video.srcObject = new MediaStream([receiver(mid).track]);
    await video.play();
    while (!video.videoWidth) await pause(20);
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [video.videoWidth, video.videoHeight];
    const context = canvas.getContext("2d");
    context.drawImage(video, 0, 0);
    const at = (x) => [...context.getImageData(Math.floor(canvas.width * x), canvas.height >> 1, 1, 1).data].slice(0, 3);
    video.srcObject = null;
    return { left: at(0.25), right: at(0.75) };
  };

  // RMS and strongest frequency of what is heard.
  call.listen = async ({ mid }) => {
    const heard = new MediaStream([receiver(mid).track]);
    // Chromium decodes for an element alone.
    const element = new Audio();
    element.muted = true;
    element.srcObject = heard;
    await element.play();
    const context = new AudioContext();
    await context.resume();
    const analyser = context.createAnalyser();
    analyser.fftSize = 8192;
    context.createMediaStreamSource(heard).connect(analyser);
    const quiet = context.createGain();
    quiet.gain.value = 0;
    analyser.connect(quiet).connect(context.destination);
    let best = { rms: 0, peak: 0 };
    for (const end = performance.now() + 8000; performance.now() < end && best.rms < 0.05;) {
      await pause(500);
      const samples = new Float32Array(analyser.fftSize);
      analyser.getFloatTimeDomainData(samples);
      const rms = Math.sqrt(samples.reduce((sum, s) => sum + s * s, 0) / samples.length);
      const bins = new Float32Array(analyser.frequencyBinCount);
      analyser.getFloatFrequencyData(bins);
      const strongest = bins.reduce((top, value, i) => (value > bins[top] ? i : top), 0);
      best = { rms, peak: (strongest * context.sampleRate) / analyser.fftSize };
    }
    await context.close();
    element.srcObject = null;
    return best;
  };

  call.told = () => call.trace.splice(0);
  call.restart = () => call.pc.restartIce();
  call.close = () => {
    call.pc.close();
    socket.close();
  };
}

// Does what stdin says until its end.
export async function obey(page, job) {
  await page.evaluateOnNewDocument(prepare);
  await page.goto(job.url, { waitUntil: "domcontentloaded" });
  const reply = (value) => console.log(`reply ${JSON.stringify(value)}`);
  reply({ value: null });
  for await (const line of createInterface({ input: process.stdin })) {
    const { step, arguments: given } = JSON.parse(line);
    try {
      reply({ value: (await page.evaluate((step, given) => window.call[step](given ?? {}), step, given)) ?? null });
    } catch (error) {
      reply({ error: String(error.stack ?? error) });
    }
  }
  return {};
}
