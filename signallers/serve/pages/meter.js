// SPDX-License-Identifier: MPL-2.0
// One line of figures about the media of a peer connection, from its statistics.

/** A function that reads `pc` and gives the line; `type`: `inbound-rtp` or `outbound-rtp`. */
export function meter(type) {
  const direction = type === 'inbound-rtp' ? 'bytesReceived' : 'bytesSent';
  let last = null;
  return async pc => {
    const report = await pc.getStats();
    let [bytes, time, text] = [0, 0, []];
    for (const stats of report.values()) {
      if (stats.type !== type) continue;
      bytes += stats[direction] ?? 0;
      time = stats.timestamp;
      if (stats.frameWidth) text.push(`${stats.frameWidth} × ${stats.frameHeight}`);
      if (stats.framesPerSecond) text.push(`${Math.round(stats.framesPerSecond)} fps`);
      const codec = report.get(stats.codecId)?.mimeType?.split('/')[1];
      if (codec) text.push(codec);
    }
    if (last && last.pc === pc && time > last.time) text.push(rate((bytes - last.bytes) * 8000 / (time - last.time)));
    last = { pc, bytes, time };
    return [...new Set(text)].join(' · ');
  };
}

function rate(bits) {
  if (bits >= 1e6) return `${(bits / 1e6).toFixed(1)} Mbit/s`;
  return `${Math.round(bits / 1e3)} kbit/s`;
}

/** Keeps `element` filled while the call lasts. */
export function keepMetering(call, type, element) {
  const read = meter(type);
  setInterval(async () => {
    const text = call.state === 'connected' && call.pc ? await read(call.pc) : '';
    // A line that is never empty keeps the page from jumping.
    element.textContent = text || '\u00a0';
  }, 1000);
}
