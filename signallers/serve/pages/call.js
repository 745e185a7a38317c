// SPDX-License-Identifier: MPL-2.0
// One peer connection with the server that served this page: WebSocket, perfect negotiation (this side is
// the polite one unless the server says otherwise), and a new try after a failure. The messages are those of
// PROTOCOL.md.

// Goodbyes after which another try would end the same way.
const FINAL = new Set(['not-acceptable', 'bad-request', 'too-large', 'unauthorized']);
const LONGEST_WAIT = 15_000;
// Without a connection by then there will be none: the answer was lost, or no path leads to the peer.
const CONNECT_TIMEOUT = 20_000;

const token = new URL(location.href).searchParams.get('token');

/** An address of this server, with the page's token. */
export function address(path) {
  const url = new URL(path, location.href);
  if (token) url.searchParams.set('token', token);
  return url;
}

/**
 * Events: `state` (call.state and call.reason changed), `track` (detail: the RTCTrackEvent).
 * States: `idle`, `connecting`, `connected`, `failed`.
 */
export class Call extends EventTarget {
  state = 'idle';
  reason = '';
  pc = null;
  session = null;
  /** Whether there will be no new try. */
  final = false;
  /** The kinds (`audio`, `video`) that were refused for want of a common codec. */
  refused = [];
  /** The data channels that the server opened, those that have closed included. */
  channels = [];
  #role;
  #prepare;
  #socket = null;
  #failures = 0;
  #timer = 0;
  #work = Promise.resolve();
  #makingOffer = false;
  #polite = true;

  /** `role`: `view`, `publish` or `call`, which is both; `prepare(pc)` adds what is to be sent. */
  constructor(role, prepare = () => {}) {
    super();
    this.#role = role;
    this.#prepare = prepare;
  }

  start() {
    this.#drop();
    this.#set('connecting');
    const url = address('ws');
    url.protocol = url.protocol.replace('http', 'ws');
    const socket = new WebSocket(url);
    let opened = false;
    this.#socket = socket;
    socket.onopen = () => {
      opened = true;
      this.#send({ type: 'start', role: this.#role });
    };
    socket.onmessage = ({ data }) => {
      const message = JSON.parse(data);
      // One after another: a candidate must wait for the description before it.
      this.#work = this.#work
        .then(() => this.#socket === socket && this.#handle(message))
        .catch(error => this.#fail(error.message));
    };
    socket.onclose = () => {
      if (this.#socket !== socket) return;
      if (!opened) this.#explain();
      // What plays goes on without signalling; what does not yet play never will.
      else if (this.state !== 'connected') this.#fail('the server closed the connection');
    };
  }

  stop() {
    this.#failures = 0;
    this.#drop('closed by the user');
    this.#set('idle');
  }

  async #handle(message) {
    switch (message.type) {
      case 'started':
        this.session = message.session;
        this.#polite = message.polite ?? true;
        await this.#open();
        break;
      case 'description':
        await this.#describe(message);
        break;
      case 'candidate':
        await this.#candidate(message);
        break;
      case 'bye':
        this.#fail(message.text || message.code, message.code);
    }
  }

  async #open() {
    const pc = new RTCPeerConnection({ bundlePolicy: 'max-bundle' });
    this.pc = pc;
    pc.onicecandidate = ({ candidate }) => {
      // An empty text ends one generation, null all of them.
      if (candidate && !candidate.candidate) return;
      this.#send({
        type: 'candidate',
        candidate: candidate?.candidate ?? null,
        mid: candidate?.sdpMid ?? null,
        index: candidate?.sdpMLineIndex ?? null,
      });
    };
    pc.onnegotiationneeded = () => this.#offer(pc).catch(error => this.#fail(error.message));
    pc.ontrack = event => {
      // Before any media is decoded: the place to set a transform on event.receiver.
      document.dispatchEvent(new CustomEvent('rtc-track', { detail: event }));
      this.dispatchEvent(new CustomEvent('track', { detail: event }));
    };
    pc.ondatachannel = event => {
      // Before its first message is delivered: the place to set event.channel.onmessage.
      this.channels.push(event.channel);
      document.dispatchEvent(new CustomEvent('rtc-datachannel', { detail: event }));
    };
    pc.onconnectionstatechange = () => {
      if (this.pc !== pc) return;
      if (pc.connectionState === 'connected') {
        this.#failures = 0;
        this.#set('connected');
      } else if (pc.connectionState === 'failed') {
        this.#fail('the connection was lost');
      }
    };
    this.#timer = setTimeout(() => {
      if (this.pc === pc && this.state === 'connecting') this.#fail('no connection came about');
    }, CONNECT_TIMEOUT);
    document.dispatchEvent(new CustomEvent('rtc-connection', { detail: pc }));
    await this.#prepare(pc);
  }

  async #offer(pc) {
    try {
      this.#makingOffer = true;
      await pc.setLocalDescription();
      this.#sendDescription(pc);
    } finally {
      this.#makingOffer = false;
    }
  }

  async #describe({ kind, sdp }) {
    const { pc } = this;
    if (!pc) return;
    // On the polite side an offer of ours that collides is rolled back by the browser itself.
    if (kind === 'offer' && !this.#polite && (this.#makingOffer || pc.signalingState !== 'stable')) return;
    if (kind === 'answer' && !this.#makingOffer && pc.signalingState === 'stable') return;
    await pc.setRemoteDescription({ type: kind, sdp });
    if (kind === 'offer') {
      await pc.setLocalDescription();
      this.#sendDescription(pc);
    }
    this.#weigh(kind === 'offer' ? pc.localDescription.sdp : sdp);
  }

  /** Looks for m-lines that the answer refuses. */
  #weigh(answer) {
    const lines = [...answer.matchAll(/^m=(\w+) (\d+)/gm)].map(([, kind, port]) => ({ kind, port }));
    this.refused = lines.filter(({ port }) => port === '0').map(({ kind }) => kind);
    if (lines.length && this.refused.length === lines.length) {
      const reason = this.#role === 'view' ? 'this browser can’t decode what the server sends' : 'the server takes nothing that this browser sends';
      this.#fail(`no codec in common: ${reason}`, 'not-acceptable');
    } else {
      this.dispatchEvent(new Event('state'));
    }
  }

  async #candidate({ candidate, mid, index }) {
    if (!this.pc?.remoteDescription) return;
    const init = candidate === null ? { candidate: '' } : { candidate };
    if (mid !== null) init.sdpMid = mid;
    if (index !== null) init.sdpMLineIndex = index;
    if (mid === null && index === null) init.sdpMLineIndex = 0;
    try {
      await this.pc.addIceCandidate(init);
    } catch (error) {
      // One candidate less is no failure: a browser refuses those it can't use.
      console.warn('candidate not used:', error.message);
    }
  }

  #sendDescription(pc) {
    const { type, sdp } = pc.localDescription;
    this.#send({ type: 'description', kind: type, sdp });
  }

  #send(message) {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message));
  }

  /** A socket that never opened says no reason; a plain request gets one. */
  async #explain() {
    const socket = this.#socket;
    let [reason, code] = ['the server can’t be reached', ''];
    try {
      const response = await fetch(address('ws'));
      if (response.status === 401 || response.status === 403) {
        ({ detail: reason } = await response.json());
        code = 'unauthorized';
      }
    } catch {
      // Not reached by either way.
    }
    if (this.#socket === socket) this.#fail(reason, code);
  }

  #fail(reason, code = '') {
    if (this.state === 'idle') return;
    this.#drop(reason, code === 'not-acceptable' ? code : 'bye');
    this.final = FINAL.has(code);
    this.#set('failed', reason);
    if (this.final) return;
    const wait = Math.min(LONGEST_WAIT, 1000 * 2 ** this.#failures++) * (0.75 + Math.random() / 2);
    this.#timer = setTimeout(() => this.start(), wait);
  }

  #drop(text = '', code = 'bye') {
    clearTimeout(this.#timer);
    const { pc } = this;
    const socket = this.#socket;
    this.#send({ type: 'bye', code, text: text.slice(0, 200) });
    this.#socket = null;
    this.pc = null;
    this.session = null;
    this.refused = [];
    this.channels = [];
    this.#work = Promise.resolve();
    socket?.close();
    pc?.close();
  }

  #set(state, reason = '') {
    this.state = state;
    this.reason = reason;
    document.body.dataset.state = reason ? `${state}: ${reason}` : state;
    this.dispatchEvent(new Event('state'));
  }
}
