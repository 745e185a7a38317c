// SPDX-License-Identifier: MPL-2.0
// The player page: shows what the server sends, muted until the viewer says otherwise.
import { Call, address } from './call.js';
import { isControl, steer } from './control.js';
import { keepMetering } from './meter.js';

const $ = id => document.getElementById(id);
const video = $('video');
const call = new Call('view');

// For scripts and tests: the peer connection of the moment, the call, the element that plays.
window.rtc = {
  call,
  video,
  get pc() { return call.pc; },
  /** The data channels that the server opened; open your own by rtc.pc.createDataChannel(label). */
  get channels() { return call.channels; },
};

call.addEventListener('track', ({ detail: { track } }) => {
  if (!(video.srcObject instanceof MediaStream)) video.srcObject = new MediaStream();
  video.srcObject.addTrack(track);
  track.onmute = track.onunmute = track.onended = show;
  show();
  play();
});

call.addEventListener('state', () => {
  if (call.state !== 'connected' && !call.pc) video.srcObject = null;
  show();
});

video.onresize = video.onplaying = show;
$('retry').onclick = () => call.start();
$('fullscreen').onclick = () => (document.fullscreenElement ? document.exitFullscreen() : $('stage').requestFullscreen());
$('unmute').onclick = () => {
  video.muted = false;
  play();
  show();
};
// Only there if the pipeline lets itself be steered.
document.addEventListener('rtc-datachannel', ({ detail: { channel } }) => {
  if (!isControl(channel)) return;
  const stop = steer(video, channel);
  channel.addEventListener('close', stop);
});
addEventListener('pagehide', () => call.stop());
addEventListener('pageshow', ({ persisted }) => persisted && call.start());

/** Starts playing; a browser that allows no sound unasked gets another try without. */
async function play() {
  try {
    await video.play();
  } catch (error) {
    if (error.name !== 'NotAllowedError') return;
    video.muted = true;
    show();
    await video.play().catch(() => {});
  }
}

function show() {
  const tracks = kind => (video.srcObject?.getTracks() ?? []).filter(track => track.kind === kind && track.readyState === 'live');
  const connected = call.state === 'connected';
  const [picture, sound] = [tracks('video').length > 0, tracks('audio').length > 0];
  const shown = picture && video.videoWidth > 0;
  $('state').textContent = call.state;
  $('unmute').hidden = !(connected && sound && video.muted);
  $('fullscreen').hidden = !(connected && shown && document.fullscreenEnabled);
  $('retry').hidden = call.state !== 'failed';
  $('sound').hidden = !(connected && sound && !picture && !call.refused.includes('video'));
  $('message').textContent = message(connected, picture, sound, shown);
}

function message(connected, picture, sound, shown) {
  if (call.state === 'connecting') return 'Connecting …';
  if (call.state === 'failed') return call.final ? call.reason : `${call.reason} — trying again …`;
  if (!connected || shown) return '';
  if (call.refused.includes('video')) return 'This browser can’t decode the picture.';
  if (picture) return 'Waiting for the first picture …';
  return sound ? '' : 'Connected; nothing is being sent yet.';
}

$('address').textContent = new URL('whep', location.href.split('?')[0]).href;
$('other').href = address('publish');
keepMetering(call, 'inbound-rtp', $('stats'));
call.start();
