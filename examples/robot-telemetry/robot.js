// SPDX-License-Identifier: MPL-2.0
// The robot's picture, its telemetry drawn over the frame it belongs to, and the way back.
import { Call } from './static/call.js';
import { isControl, steer } from './static/control.js';
import { isTelemetry, telemetry } from './static/telemetry.js';

const $ = id => document.getElementById(id);
const video = $('video');
const call = new Call('view');

call.addEventListener('track', ({ detail: { track } }) => {
  video.srcObject = new MediaStream([track]);
});
call.addEventListener('state', () => {
  $('state').textContent = call.state;
});
document.addEventListener('rtc-datachannel', ({ detail: { channel } }) => {
  if (isTelemetry(channel)) telemetry(video, channel, show);
  if (isControl(channel)) {
    const stop = steer(video, channel);
    channel.addEventListener('close', stop);
  }
});

/** With every frame that is presented: what the robot said of itself at that frame. */
function show({ messages, metadata }) {
  const said = messages.at(-1);
  if (!said) return;
  const { frame, x, y } = said.data;
  $('frame').textContent = frame;
  $('place').textContent = `${x}, ${y}`;
  const ring = $('ring');
  ring.hidden = false;
  ring.style.left = `${(x / metadata.width) * video.clientWidth}px`;
  ring.style.top = `${(y / metadata.height) * video.clientHeight}px`;
  // For scripts and tests.
  document.dispatchEvent(new CustomEvent('robot', { detail: { said, metadata } }));
}

addEventListener('pagehide', () => call.stop());
call.start();
