import { connect } from "node:net";
import type { Contract } from "./contract.ts";
import { transportContract } from "./contract.ts";
import { Rig, sip, TcpPeer, TcpServer, until } from "./rig.ts";

const HELLO = sip("hello");

const udp = (address: string): Contract => ({
  transport: "udp",
  address,
  async meet() {
    const rig = new Rig();
    await rig.listen([["udp", address]]);
    let got = "";
    const peer = await Bun.udpSocket({
      hostname: address,
      port: 0,
      socket: {
        data: (_socket, bytes) => {
          got += bytes.toString("latin1");
        },
      },
    });
    const send = (text: string): void => {
      const { port } = rig.endpoint("udp");
      peer.send(Buffer.from(text, "latin1"), port, address);
    };
    const keepalives = ["\r\n\r\n", "\0", "\0\0\0\0", "\r\n", ""];
    send(HELLO);
    await until(() => rig.receiver.messages.length === 1);
    return {
      rig,
      flow: rig.receiver.messages[0]!.flow,
      peerAddress: address,
      peerPort: peer.port,
      send,
      keepalive: () => keepalives.forEach(send),
      got: () => got,
      end: () => {
        rig.transports.close();
        peer.close();
      },
    };
  },
});

const accepted = (address: string): Contract => ({
  transport: "tcp",
  address,
  async meet() {
    const rig = new Rig();
    await rig.listen([["tcp", address]]);
    const { port } = rig.endpoint("tcp");
    const peer = new TcpPeer(connect({ host: address, port }));
    peer.write(HELLO);
    await until(() => rig.receiver.messages.length === 1);
    return {
      rig,
      flow: rig.receiver.messages[0]!.flow,
      peerAddress: address,
      peerPort: peer.socket.localPort ?? 0,
      send: (text) => peer.write(text),
      keepalive: () => peer.write("\r\n\r\n\r\n"),
      got: () => peer.text,
      end: () => {
        rig.transports.close();
        peer.socket.destroy();
      },
    };
  },
});

const outgoing = (address: string): Contract => ({
  transport: "tcp",
  address,
  async meet() {
    const rig = new Rig();
    await rig.listen([["tcp", address]]);
    const server = await TcpServer.on(address);
    const flow = rig.transports.flowTo("tcp", address, server.port);
    if (!flow) throw new Error("no flow");
    await until(() => server.peers.length === 1);
    const peer = server.peers[0]!;
    peer.write(HELLO);
    await until(() => rig.receiver.messages.length === 1);
    return {
      rig,
      flow,
      peerAddress: address,
      peerPort: server.port,
      send: (text) => peer.write(text),
      keepalive: () => peer.write("\r\n\r\n\r\n"),
      got: () => peer.text,
      end: () => {
        rig.transports.close();
        server.close();
      },
    };
  },
});

for (const address of ["127.0.0.1", "::1"]) {
  transportContract(`UDP on ${address}`, udp(address));
  transportContract(`TCP accepted on ${address}`, accepted(address));
  transportContract(`TCP opened from ${address}`, outgoing(address));
}
