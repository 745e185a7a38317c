// SPDX-License-Identifier: MPL-2.0
// The publish page: sends a camera or a screen, with sound, to the server. `?start=camera`, `?start=screen`
// or `?start=none` (sound only) starts at once.
import { Call, address } from './call.js';
import { keepMetering } from './meter.js';

const $ = id => document.getElementById(id);
const preview = $('preview');
let stream = null;

const call = new Call('publish', pc => {
  for (const track of stream.getTracks()) {
    const sender = pc.addTrack(track, stream);
    // The place to set a transform on the sender, before anything is encoded.
    document.dispatchEvent(new CustomEvent('rtc-sender', { detail: { pc, sender, track } }));
  }
});

// For scripts and tests: the peer connection of the moment, the call, what is sent.
window.rtc = {
  call,
  get pc() { return call.pc; },
  /** The data channels that the server opened; open your own by rtc.pc.createDataChannel(label). */
  get channels() { return call.channels; },
  get stream() { return stream; },
};

call.addEventListener('state', show);
$('choice').onsubmit = event => {
  event.preventDefault();
  start();
};
$('stop').onclick = stop;
$('picture').onchange = show;
addEventListener('pagehide', stop);

async function start() {
  $('start').disabled = true;
  try {
    stream = await capture();
    stream.getTracks().forEach(track => (track.onended = stop));
    preview.srcObject = stream;
    call.start();
  } catch (error) {
    refuse(error.message);
  } finally {
    $('start').disabled = false;
    show();
  }
  listCameras();
}

function stop() {
  call.stop();
  stream?.getTracks().forEach(track => {
    track.onended = null;
    track.stop();
  });
  stream = null;
  preview.srcObject = null;
  show();
}

async function capture() {
  const devices = navigator.mediaDevices;
  if (!devices) throw new Error('browsers give cameras and screens only to pages from localhost or by https');
  const audio = $('microphone').checked;
  const picture = $('picture').value;
  if (picture === 'none' && !audio) throw new Error('choose a picture or sound');
  if (picture !== 'screen') {
    const deviceId = $('camera').value || undefined;
    return devices.getUserMedia({ audio, video: picture === 'camera' && { deviceId, width: { ideal: 1280 }, height: { ideal: 720 } } });
  }
  const screen = await devices.getDisplayMedia({ video: true });
  if (audio) {
    const sound = await devices.getUserMedia({ audio: true });
    sound.getTracks().forEach(track => screen.addTrack(track));
  }
  return screen;
}

/** A failure before there is a call: it is shown as one of the call's would be. */
function refuse(reason) {
  document.body.dataset.state = `failed: ${reason}`;
  $('message').textContent = reason;
}

async function listCameras() {
  const devices = (await navigator.mediaDevices?.enumerateDevices()) ?? [];
  const chosen = $('camera').value;
  const cameras = devices.filter(device => device.kind === 'videoinput' && device.deviceId);
  $('camera').replaceChildren(
    new Option('Default', ''),
    ...cameras.map((camera, index) => new Option(camera.label || `Camera ${index + 1}`, camera.deviceId)),
  );
  $('camera').value = cameras.some(camera => camera.deviceId === chosen) ? chosen : '';
}

function show() {
  const [running, failed] = [stream !== null, document.body.dataset.state.startsWith('failed')];
  $('state').textContent = failed ? 'failed' : call.state;
  $('start').hidden = running;
  $('stop').hidden = !running;
  $('picture').disabled = $('camera').disabled = $('microphone').disabled = running;
  $('camera-choice').hidden = $('picture').value !== 'camera';
  if (call.state === 'failed') $('message').textContent = call.reason;
  else if (running && call.state === 'connecting') $('message').textContent = 'Connecting …';
  else if (running) $('message').textContent = stream.getVideoTracks().length ? '' : 'Sending sound only.';
  else if (!failed) $('message').textContent = 'Choose what to send, then start.';
}

$('address').textContent = new URL('whip', location.href.split('?')[0]).href;
$('other').href = address('./');
keepMetering(call, 'outbound-rtp', $('stats'));
listCameras();
const wanted = new URL(location.href).searchParams.get('start');
if (wanted) {
  if ([...$('picture').options].some(option => option.value === wanted)) $('picture').value = wanted;
  start();
}
show();
