"""Drives real python-socketio clients for the tests: one JSON object a line on the standard input
tells what to do, one a line on the standard output tells what happened. clients/node/client.js
speaks the same."""

import asyncio
import json
import sys

import socketio

sockets = {}
tasks = set()


def tell(**what):
    print(json.dumps(what), flush=True)


def start(work):
    task = asyncio.create_task(work)
    tasks.add(task)
    task.add_done_callback(tasks.discard)


async def connect(command):
    name, options = command["socket"], command["options"]
    client = socketio.AsyncClient(reconnection=False)
    sockets[name] = client

    @client.event
    async def connect():
        tell(socket=name, what="connected", transport=client.transport(), id=client.sid)
        if client.transport() == "websocket" and options.get("transports", [""])[0] == "polling":
            tell(socket=name, what="upgraded", transport="websocket")

    @client.event
    async def connect_error(data):
        if not isinstance(data, dict):
            data = {"message": str(data)}
        tell(socket=name, what="refused", message=data.get("message"), data=data.get("data"))

    @client.event
    async def disconnect(reason):
        tell(socket=name, what="disconnected", reason=reason)

    @client.on("*")
    async def anything(event, *args):
        tell(socket=name, what="event", event=event, args=list(args))

    try:
        await client.connect(
            command["url"],
            auth=options.get("auth"),
            headers=options.get("extraHeaders", {}),
            transports=options.get("transports"),
            wait_timeout=20,
        )
    except socketio.exceptions.ConnectionError as error:
        tell(socket=name, what="failed", message=str(error))


async def emit(command):
    name, ack = command["socket"], command.get("ack")

    def acknowledged(*answer):
        tell(socket=name, what="ack", ack=ack, args=list(answer))

    await sockets[name].emit(
        command["event"],
        tuple(command["args"]),
        callback=None if ack is None else acknowledged,
    )


async def binary(command):
    await sockets[command["socket"]].emit(command["event"], {"data": b"\1\2\3"})


async def close(command):
    await sockets[command["socket"]].disconnect()


COMMANDS = {"connect": connect, "emit": emit, "binary": binary, "close": close}


async def main():
    loop = asyncio.get_running_loop()
    lines = asyncio.StreamReader(limit=1 << 20)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    tell(what="ready")
    while line := await lines.readline():
        command = json.loads(line)
        work = COMMANDS[command["do"]](command)
        if command["do"] == "connect":
            start(work)
        else:
            await work


asyncio.run(main())
