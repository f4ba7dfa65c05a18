// One side of a call, as a web client has it: npm's socket.io-client and the browser's own
// RTCPeerConnection. The tests call the functions at the end by their names, and hear what happens
// from tell().

const other = document.getElementById("other");

let stream;
let socket;
let channel;
let call;

// The time of this machine, in milliseconds.
const now = () => Date.now();

// A connection to the other page. What has to be handed to it goes to send(kind, what).
class Peer {
  constructor({ iceServers, policy }, send) {
    this.send = send;
    const connection = new RTCPeerConnection({ iceServers, iceTransportPolicy: policy ?? "all" });
    this.connection = connection;
    for (const track of stream.getTracks()) connection.addTrack(track, stream);
    connection.onicecandidate = ({ candidate }) => send("candidate", candidate?.toJSON() ?? null);
    connection.ontrack = ({ track, streams }) => {
      other.srcObject = streams[0];
      if (track.kind === "video") tellFirstFrame(track);
    };
    connection.onconnectionstatechange = () => {
      if (connection.connectionState === "connected") this.onconnected?.();
      if (connection.connectionState === "failed") tell({ what: "lost" });
    };
  }

  async offer() {
    await this.connection.setLocalDescription();
    this.send("offer", this.connection.localDescription.toJSON());
  }

  async take(kind, what) {
    const { connection } = this;
    if (kind === "candidate") return connection.addIceCandidate(what ?? undefined);
    await connection.setRemoteDescription(what);
    if (kind === "offer") {
      await connection.setLocalDescription();
      this.send("answer", connection.localDescription.toJSON());
    }
  }

  close() {
    this.connection.close();
    other.srcObject = null;
  }

  // What has come of the other's video, and over which way.
  async report() {
    const report = { framesDecoded: 0, local: null, remote: null };
    const stats = await this.connection.getStats();
    for (const one of stats.values()) {
      if (one.type === "inbound-rtp" && one.kind === "video") report.framesDecoded = one.framesDecoded;
      if (one.type === "transport" && one.selectedCandidatePairId) {
        const pair = stats.get(one.selectedCandidatePairId);
        report.local = stats.get(pair.localCandidateId).candidateType;
        report.remote = stats.get(pair.remoteCandidateId).candidateType;
      }
    }
    return report;
  }
}

// A page that is not in front paints once a second: its frames are counted where they are decoded.
async function tellFirstFrame(track) {
  const frames = new MediaStreamTrackProcessor({ track }).readable.getReader();
  const { value: frame } = await frames.read();
  if (frame === undefined) return;
  tell({ what: "shown", at: now(), width: frame.codedWidth });
  frame.close();
  await frames.cancel();
}

// What comes for the connection is taken one after the other, and kept until there is one.
class Inbox {
  constructor() {
    this.waiting = [];
    this.peer = null;
    this.last = Promise.resolve();
  }

  open(peer) {
    this.peer = peer;
    for (const [kind, what] of this.waiting.splice(0)) this.put(kind, what);
  }

  put(kind, what) {
    if (this.peer === null) {
      this.waiting.push([kind, what]);
    } else {
      const { peer } = this;
      this.last = this.last.then(() => peer.take(kind, what));
      this.last.catch((error) => tell({ what: "failed", error: `${kind}: ${error}` }));
    }
  }
}

const words = { offer: "webrtc:offer", answer: "webrtc:answer", candidate: "webrtc:ice" };

function begin(call_id, settings) {
  const send = (kind, what) => socket.emit(words[kind], { call_id, [kind]: what });
  call.id = call_id;
  call.peer = new Peer(settings, send);
  call.peer.onconnected = () => socket.emit("call:connected", { call_id });
  call.inbox.open(call.peer);
}

async function ask(event, data) {
  const answer = await socket.timeout(30_000).emitWithAck(event, data);
  if (!answer.success) throw new Error(`${event}: ${JSON.stringify(answer)}`);
  return answer.data;
}

// What the tests call.

async function openCamera() {
  stream = await navigator.mediaDevices.getUserMedia({ audio: true, video: true });
}

// Connects the page to the server. `answers` is whether it answers by itself.
function signIn({ url, token, policy, answers }) {
  call = { inbox: new Inbox(), policy, answers };
  socket = io(url, { auth: { token }, transports: ["websocket"], reconnection: false });
  for (const [kind, word] of Object.entries(words)) {
    socket.on(word, (signal) => call.inbox.put(kind, signal[kind]));
  }
  socket.on("call:ringing", (ringing) => {
    // Who calls is told by the same name that it rings at the other side.
    if (call.places) return;
    call.id = ringing.call_id;
    tell({ what: "ringing", call: ringing });
    if (call.answers) answer();
  });
  for (const event of ["call:accepted", "call:connected", "call:ended", "call:missed", "error"]) {
    socket.on(event, (data) => {
      if (event === "call:ended") endCall();
      tell({ what: event, data, at: now() });
    });
  }
  return new Promise((resolve, reject) => {
    socket.on("connect", resolve);
    socket.on("connect_error", (error) => reject(new Error(`refused: ${error.message}`)));
  });
}

// Calls somebody. The offer is made while it rings at the other side.
async function place(request) {
  const began = now();
  call.places = true;
  const { call_id, ice_servers } = await ask("call:initiate", request);
  begin(call_id, { iceServers: ice_servers, policy: call.policy });
  await call.peer.offer();
  return { began, call_id, ice_servers };
}

async function answer() {
  const { call_id, ice_servers } = await ask("call:accept", { call_id: call.id });
  begin(call_id, { iceServers: ice_servers, policy: call.policy });
  return { call_id, ice_servers };
}

// Asks the other side for a new way (an ICE restart), from either side, until it has answered.
async function restart() {
  const { connection } = call.peer;
  const fragment = () => /a=ice-ufrag:(.*)/.exec(connection.remoteDescription.sdp)[1];
  const before = fragment();
  connection.restartIce();
  await call.peer.offer();
  while (connection.signalingState !== "stable") {
    await new Promise((resolve) => (connection.onsignalingstatechange = resolve));
  }
  return { isNew: fragment() !== before };
}

async function hangUp() {
  const began = now();
  await ask("call:end", { call_id: call.id, reason: "user_hangup" });
  return { began };
}

function endCall() {
  call.peer?.close();
  call = { ...call, inbox: new Inbox(), peer: null, places: false };
}

function report() {
  return call.peer.report();
}

// What kinds of addresses relays give out for a connection, and with which codes they refuse it.
async function gather(iceServers) {
  const connection = new RTCPeerConnection({ iceServers, iceTransportPolicy: "relay" });
  const types = new Set();
  const errors = new Set();
  const gathered = new Promise((resolve) => {
    connection.onicecandidate = ({ candidate }) => {
      if (candidate?.type) types.add(candidate.type);
      if (candidate === null) resolve();
    };
  });
  connection.onicecandidateerror = ({ errorCode }) => errors.add(errorCode);
  connection.createDataChannel("anything");
  await connection.setLocalDescription();
  await gathered;
  connection.close();
  return { types: [...types], errors: [...errors] };
}

// The same two connections without a server: what they hand each other goes from page to page
// within the browser.
function pair() {
  call = { ...call, inbox: new Inbox(), peer: null };
  channel = new BroadcastChannel("pair");
  channel.onmessage = ({ data: { kind, what } }) => {
    if (kind === "ring") beginPaired();
    else call.inbox.put(kind, what);
  };
}

function beginPaired() {
  call.peer = new Peer({ iceServers: [] }, (kind, what) => channel.postMessage({ kind, what }));
  call.inbox.open(call.peer);
}

async function placePaired() {
  const began = now();
  channel.postMessage({ kind: "ring" });
  beginPaired();
  await call.peer.offer();
  return { began };
}

function unpair() {
  endCall();
  channel.close();
}
