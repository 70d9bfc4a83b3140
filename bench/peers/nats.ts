// The publisher of the NATS peer: a subject for each topic. The server hands on; nothing is kept (no JetStream).
import { connect } from 'nats';
import { follow, ready, taken } from './upstream.ts';

const task = await taken();
const connection = await connect({ servers: `127.0.0.1:${task.brokerPort}` });
const encoder = new TextEncoder();
await follow(task, (topic, event) =>
  connection.publish(`events.${topic}`, encoder.encode(JSON.stringify(event))),
);
ready(0);
