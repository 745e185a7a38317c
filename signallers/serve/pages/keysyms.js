// SPDX-License-Identifier: MPL-2.0
// Names of keys as GstNavigation has them: those of X11 (keysymdef.h), of what browsers call them.

const NAMED = {
  ' ': 'space', Enter: 'Return', Backspace: 'BackSpace', Escape: 'Escape', Delete: 'Delete', Insert: 'Insert',
  ArrowLeft: 'Left', ArrowRight: 'Right', ArrowUp: 'Up', ArrowDown: 'Down',
  Home: 'Home', End: 'End', PageUp: 'Page_Up', PageDown: 'Page_Down', Tab: 'Tab',
  CapsLock: 'Caps_Lock', NumLock: 'Num_Lock', ScrollLock: 'Scroll_Lock', Pause: 'Pause', PrintScreen: 'Print',
  ContextMenu: 'Menu', AltGraph: 'ISO_Level3_Shift', Dead: 'dead_key', Clear: 'Clear', Help: 'Help',
};
// Keys there are two of.
const SIDED = { Shift: 'Shift', Control: 'Control', Alt: 'Alt', Meta: 'Super', OS: 'Super' };
const KEYPAD = {
  NumpadEnter: 'KP_Enter', NumpadAdd: 'KP_Add', NumpadSubtract: 'KP_Subtract', NumpadMultiply: 'KP_Multiply',
  NumpadDivide: 'KP_Divide', NumpadDecimal: 'KP_Decimal',
};
// The printable characters of ASCII that are neither letters nor digits, from `!` on.
const SIGNS = new Map([
  ...zip('!"#$%&\'()*+,-./', 'exclam quotedbl numbersign dollar percent ampersand apostrophe parenleft parenright asterisk plus comma minus period slash'),
  ...zip(':;<=>?@', 'colon semicolon less equal greater question at'),
  ...zip('[\\]^_`', 'bracketleft backslash bracketright asciicircum underscore grave'),
  ...zip('{|}~', 'braceleft bar braceright asciitilde'),
]);

function zip(characters, names) {
  return names.split(' ').map((name, at) => [characters[at], name]);
}

/** The name of the key of a KeyboardEvent. */
export function keysym({ key, code }) {
  if (KEYPAD[code]) return KEYPAD[code];
  if (/^Numpad[0-9]$/.test(code) && /^[0-9]$/.test(key)) return `KP_${key}`;
  if (SIDED[key]) return `${SIDED[key]}_${code.endsWith('Right') ? 'R' : 'L'}`;
  if (NAMED[key]) return NAMED[key];
  if (/^[A-Za-z0-9]$/.test(key)) return key;
  if ([...key].length > 1) return key;
  const point = key.codePointAt(0);
  return SIGNS.get(key) ?? `U${point.toString(16).toUpperCase().padStart(4, '0')}`;
}
