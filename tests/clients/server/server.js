// The Socket.IO server that the benchmarks measure ours beside: Node's own, doing for a message
// what it cannot do without. It keeps it in SQLite with synchronous=FULL, numbered in its
// conversation, tells both participants, and acknowledges it. It checks no credential (the token
// is the user's id), seals nothing, keeps no trail and no log of events.
//
//   node server.js PACKAGES DATABASE PARTICIPANTS
//
// PARTICIPANTS is a JSON file: {conversation id: [user id, user id]}. The first line of the
// standard output is the port.

const { createRequire } = require("node:module");
const { createServer } = require("node:http");
const { randomUUID } = require("node:crypto");
const { readFileSync } = require("node:fs");

const [packages, path, participantsPath] = process.argv.slice(2);
const load = createRequire(packages + "/");
const Database = load("better-sqlite3");
const { Server } = load("socket.io");

const participants = new Map(Object.entries(JSON.parse(readFileSync(participantsPath, "utf8"))));

const database = new Database(path);
database.pragma("journal_mode = WAL");
database.pragma("synchronous = FULL");
database.exec(`
  CREATE TABLE conversations (id TEXT PRIMARY KEY, last_seq INTEGER NOT NULL) STRICT;
  CREATE TABLE messages (
    id TEXT PRIMARY KEY, conversation_id TEXT NOT NULL, seq INTEGER NOT NULL,
    sender_id INTEGER NOT NULL, body TEXT NOT NULL, created_at TEXT NOT NULL,
    UNIQUE (conversation_id, seq)
  ) STRICT;
`);
const begin = database.prepare("INSERT INTO conversations VALUES (?, 0)");
for (const id of participants.keys()) begin.run(id);
const number = database.prepare(
  "UPDATE conversations SET last_seq = last_seq + 1 WHERE id = ? RETURNING last_seq"
);
const insert = database.prepare("INSERT INTO messages VALUES (?, ?, ?, ?, ?, ?)");
const keep = database.transaction((message) => {
  message.seq = number.get(message.conversation_id).last_seq;
  insert.run(
    message.message_id,
    message.conversation_id,
    message.seq,
    message.sender_id,
    message.body,
    message.created_at
  );
});

const http = createServer();
const io = new Server(http, { serveClient: false, transports: ["websocket"] });
// As its documentation advises, so that no session holds on to its first request.
io.engine.on("connection", (raw) => {
  raw.request = null;
});

io.use((socket, next) => {
  const user = Number(socket.handshake.auth.token);
  if (!Number.isSafeInteger(user)) return next(new Error("Unauthorized"));
  socket.data.user = user;
  next();
});

io.on("connection", (socket) => {
  const { user } = socket.data;
  socket.join(`user ${user}`);
  socket.on("chat:message", (payload, acknowledge) => {
    const users = participants.get(payload?.conversation_id);
    if (!users?.includes(user) || typeof payload.body !== "string") {
      acknowledge({ success: false, error_code: "VALIDATION_ERROR" });
      return;
    }
    const message = {
      message_id: randomUUID(),
      conversation_id: payload.conversation_id,
      sender_id: user,
      body: payload.body,
      message_type: "text",
      status: "sent",
      created_at: new Date().toISOString(),
      delivered_at: null,
      read_at: null,
      client_msg_id: payload.client_msg_id ?? null,
    };
    keep(message);
    io.to(users.map((one) => `user ${one}`)).emit("chat:message", message);
    acknowledge({ success: true, data: message });
  });
});

http.listen(0, "127.0.0.1", () => console.log(http.address().port));
