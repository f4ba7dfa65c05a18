// Drives real Socket.IO clients for the tests: one JSON object a line on the standard input tells
// what to do, one a line on the standard output tells what happened. clients/python/client.py
// speaks the same.

const { createRequire } = require("node:module");
const readline = require("node:readline");

// The packages are installed outside of the checkout.
const load = createRequire(process.argv[2] + "/");
const { io } = load("socket.io-client");

const sockets = new Map();

const tell = (what) => process.stdout.write(JSON.stringify(what) + "\n");

const commands = {
  connect({ socket: name, url, options }) {
    const socket = io(url, { reconnection: false, forceNew: true, ...options });
    sockets.set(name, socket);
    const transport = () => socket.io.engine?.transport?.name;
    socket.on("connect", () => {
      tell({ socket: name, what: "connected", transport: transport(), id: socket.id });
      socket.io.engine.on("upgrade", () =>
        tell({ socket: name, what: "upgraded", transport: transport() })
      );
      if (transport() === "websocket" && options.transports?.[0] === "polling") {
        tell({ socket: name, what: "upgraded", transport: transport() });
      }
    });
    socket.on("connect_error", (error) =>
      tell({ socket: name, what: "refused", message: error.message, data: error.data ?? null })
    );
    socket.on("disconnect", (reason) => tell({ socket: name, what: "disconnected", reason }));
    socket.onAny((event, ...args) => tell({ socket: name, what: "event", event, args }));
  },
  emit({ socket: name, event, args, ack }) {
    const socket = sockets.get(name);
    if (ack === undefined) {
      socket.emit(event, ...args);
    } else {
      socket.emit(event, ...args, (...answer) =>
        tell({ socket: name, what: "ack", ack, args: answer })
      );
    }
  },
  binary({ socket: name, event }) {
    sockets.get(name).emit(event, { data: Buffer.from([1, 2, 3]) });
  },
  close({ socket: name }) {
    sockets.get(name).close();
  },
};

readline
  .createInterface({ input: process.stdin })
  .on("line", (line) => {
    const command = JSON.parse(line);
    commands[command.do](command);
  })
  .on("close", () => process.exit(0));

tell({ what: "ready" });
