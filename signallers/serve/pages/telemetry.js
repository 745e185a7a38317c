// SPDX-License-Identifier: MPL-2.0
// Messages in step with a video: those of a data_%u pad of rtcsink whose property sync-to names the video.

// Messages that wait for their frame; a page in the background shows none.
const MOST = 1000;
const VERSION = 1;
const KINDS = ['binary', 'text', 'json', 'klv'];
const utf8 = new TextDecoder();

/** Whether a channel's messages come in envelopes. */
export const isTelemetry = channel => /^rtc-sync(;|$)/.test(channel.protocol);

/**
 * Takes the envelope off: `{ rtpTimestamp, kind, data }`, where `kind` is `json` (`data` is the value), `text` (a
 * string), `klv` or `binary` (a Uint8Array); null for what is no envelope.
 */
export function open(buffer) {
  if (!(buffer instanceof ArrayBuffer) || buffer.byteLength < 8) return null;
  const view = new DataView(buffer);
  const header = view.getUint16(2);
  if (view.getUint8(0) !== VERSION || header < 8 || header > buffer.byteLength) return null;
  const kind = KINDS[view.getUint8(1)] ?? 'binary';
  const bytes = new Uint8Array(buffer, header);
  const rtpTimestamp = view.getUint32(4);
  try {
    if (kind === 'json') return { rtpTimestamp, kind, data: JSON.parse(utf8.decode(bytes)) };
  } catch {
    return { rtpTimestamp, kind: 'text', data: utf8.decode(bytes) };
  }
  return { rtpTimestamp, kind, data: kind === 'text' ? utf8.decode(bytes) : bytes };
}

/** How far RTP timestamp `a` is ahead of `b`; the count wraps. */
const ahead = (a, b) => (a - b) | 0;

/**
 * Calls `show({ messages, metadata, now })` for each frame of `video` that is presented, with the messages of
 * `channel` that belong to it: usually one, none if the sender had none, several if frames between were not
 * presented. A message that comes after its frame has a call of its own. `metadata` and `now` are those of
 * `requestVideoFrameCallback`. Gives a function that ends it.
 */
export function telemetry(video, channel, show) {
  let waiting = [];
  let shown = null;
  let handle = 0;
  channel.binaryType = 'arraybuffer';

  const receive = ({ data }) => {
    const message = open(data);
    if (!message) return;
    if (shown && ahead(message.rtpTimestamp, shown.metadata.rtpTimestamp) <= 0) {
      show({ ...shown, messages: [message] });
      return;
    }
    waiting.push(message);
    if (waiting.length > MOST) waiting.shift();
  };
  const present = (now, metadata) => {
    handle = video.requestVideoFrameCallback(present);
    // Not a frame of a peer connection.
    if (metadata.rtpTimestamp === undefined) return;
    const isDue = ({ rtpTimestamp }) => ahead(rtpTimestamp, metadata.rtpTimestamp) <= 0;
    const messages = waiting.filter(isDue);
    waiting = waiting.filter(message => !isDue(message));
    shown = { metadata, now };
    show({ metadata, now, messages });
  };
  channel.addEventListener('message', receive);
  handle = video.requestVideoFrameCallback(present);
  return () => {
    channel.removeEventListener('message', receive);
    video.cancelVideoFrameCallback(handle);
  };
}
