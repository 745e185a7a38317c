// SPDX-License-Identifier: MPL-2.0
// Mouse, touch, keyboard and gamepads over a video, sent to the pipeline as GstNavigation events. The messages
// are those of webrtcsink's control channel; `width` and `height`, the size the page sees, are an addition.
import { keysym } from './keysyms.js';

/** Whether a channel is the one that rtcsink opens with enable-control-data-channel. */
export const isControl = channel => channel.label === 'control';

const MODIFIERS = [['altKey', 'mod1-mask'], ['ctrlKey', 'control-mask'], ['metaKey', 'meta-mask'], ['shiftKey', 'shift-mask']];
const POINTER = {
  mouse: { pointermove: 'MouseMove', pointerdown: 'MouseButtonPress', pointerup: 'MouseButtonRelease' },
  touch: { pointermove: 'TouchMotion', pointerdown: 'TouchDown', pointerup: 'TouchUp', pointercancel: 'TouchUp' },
};
// Half a step of an axis' usual 8 bits is noise.
const AXIS_STEP = 1 / 256;

function modifiers(event) {
  const names = MODIFIERS.filter(([key]) => event[key]).map(([, name]) => name);
  for (let bit = 0; bit < 5; bit++) {
    // DOM counts left, right, middle; X11 left, middle, right.
    if (event.buttons & (1 << bit)) names.push(`button${[1, 3, 2, 4, 5][bit]}-mask`);
  }
  return names.join('+');
}

/** Where in the picture an event is, in the picture's own pixels; the bars beside it count as its edge. */
export function place(video, { clientX, clientY }) {
  const { videoWidth, videoHeight } = video;
  const box = video.getBoundingClientRect();
  const scale = Math.min(box.width / videoWidth, box.height / videoHeight) || 1;
  const along = (at, start, length, size) => Math.min(size, Math.max(0, (at - start - (length - size * scale) / 2) / scale));
  return {
    x: along(clientX, box.left, box.width, videoWidth),
    y: along(clientY, box.top, box.height, videoHeight),
    width: videoWidth,
    height: videoHeight,
  };
}

/** Sends what is done over `video` on `channel`; gives a function that ends it. */
export function steer(video, channel) {
  const done = new AbortController();
  const pressed = new Map();
  const pads = new Map();
  let id = 0;
  let move = null;
  let timer = 0;

  const send = event => {
    if (channel.readyState !== 'open') return;
    channel.send(JSON.stringify({ id: id++, request: { type: 'navigationEvent', event } }));
  };
  const listen = (target, types, handler) => {
    for (const type of types) target.addEventListener(type, handler, { signal: done.signal, passive: false });
  };
  const flush = () => {
    if (move) send(move);
    move = null;
  };

  listen(video, ['pointermove', 'pointerdown', 'pointerup', 'pointercancel'], event => {
    const touch = event.pointerType === 'touch';
    const name = POINTER[touch ? 'touch' : 'mouse'][event.type];
    if (!name || !video.videoWidth) return;
    event.preventDefault();
    const message = { event: name, ...place(video, event), modifier_state: modifiers(event) };
    if (touch) {
      message.identifier = event.pointerId;
      if (name !== 'TouchUp') message.pressure = event.pressure;
    } else if (name !== 'MouseMove') {
      message.button = event.button + 1;
    }
    if (event.type === 'pointerdown') {
      video.focus();
      video.setPointerCapture(event.pointerId);
    }
    if (name === 'MouseMove') {
      // One for each picture on screen; a press comes after the move to its place.
      move = message;
    } else {
      flush();
      send(message);
      if (touch) send({ event: 'TouchFrame', modifier_state: message.modifier_state });
    }
  });
  listen(video, ['contextmenu'], event => event.preventDefault());
  listen(video, ['wheel'], event => {
    event.preventDefault();
    flush();
    const { deltaX, deltaY } = event;
    send({ event: 'MouseScroll', ...place(video, event), delta_x: -deltaX, delta_y: -deltaY, modifier_state: modifiers(event) });
  });
  listen(video, ['keydown', 'keyup'], event => {
    // Tab leaves the video, for those without a mouse.
    if (event.key === 'Tab' || event.isComposing) return;
    event.preventDefault();
    const down = event.type === 'keydown';
    const key = down ? keysym(event) : pressed.get(event.code) ?? keysym(event);
    if (down) pressed.set(event.code, key);
    else pressed.delete(event.code);
    send({ event: down ? 'KeyPress' : 'KeyRelease', key, modifier_state: modifiers(event) });
  });
  listen(video, ['blur'], () => {
    // Their releases will be somebody else's.
    for (const key of pressed.values()) send({ event: 'KeyRelease', key, modifier_state: '' });
    pressed.clear();
  });

  const tick = () => {
    timer = requestAnimationFrame(tick);
    flush();
    poll(pads, send);
  };
  timer = requestAnimationFrame(tick);
  video.tabIndex = 0;
  return () => {
    done.abort();
    cancelAnimationFrame(timer);
    video.removeAttribute('tabindex');
  };
}

/** Sends what changed at the gamepads since the last look. */
function poll(known, send) {
  const present = (navigator.getGamepads?.() ?? []).filter(pad => pad?.connected);
  for (const { index, id, buttons, axes } of present) {
    if (!known.has(index)) {
      known.set(index, { buttons: [], axes: [] });
      send({ event: 'GamepadConnected', gamepad: index, id });
    }
    const before = known.get(index);
    buttons.forEach(({ pressed, value }, button) => {
      if (pressed === (before.buttons[button] ?? false)) return;
      before.buttons[button] = pressed;
      send({ event: pressed ? 'GamepadButtonPress' : 'GamepadButtonRelease', gamepad: index, button, value });
    });
    axes.forEach((value, axis) => {
      const last = before.axes[axis] ?? 0;
      if (Math.abs(value - last) < AXIS_STEP && (value !== 0 || last === 0)) return;
      before.axes[axis] = value;
      send({ event: 'GamepadAxis', gamepad: index, axis, value });
    });
  }
  for (const index of known.keys()) {
    if (present.some(pad => pad.index === index)) continue;
    known.delete(index);
    send({ event: 'GamepadDisconnected', gamepad: index });
  }
}
