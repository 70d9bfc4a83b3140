// What every peer of the webhooks bench has in common with a simple service: one EventSub session, each frame parsed once.
import { WebSocket } from 'ws';

/** A notification as a service keeps it. */
export interface Notification {
  readonly id: string;
  /** What is sent: the frame's own text. */
  readonly text: string;
}

interface Frame {
  readonly metadata: { readonly message_id: string; readonly message_type: string };
  readonly payload: { readonly session?: { readonly id: string } };
}

export function setting(name: string): string {
  const value = process.env[name];
  if (value === undefined || value === '') throw new Error(`${name} is not set`);
  return value;
}

/** Tells the bench the session's id, and the peer each notification. Ends the process with the connection. */
export function listen(onNotification: (notification: Notification) => void): void {
  const socket = new WebSocket(setting('PEER_EVENTSUB_URL'), { perMessageDeflate: false });
  socket.on('message', (data: Buffer) => {
    const text = data.toString('utf8');
    const { metadata, payload } = JSON.parse(text) as Frame;
    if (metadata.message_type === 'notification') onNotification({ id: metadata.message_id, text });
    else if (metadata.message_type === 'session_welcome') process.send?.({ sessionId: payload.session?.id });
  });
  const end = (why: unknown): void => {
    console.error('the session ended', why);
    process.exit(1);
  };
  socket.on('close', end);
  socket.on('error', end);
  process.on('SIGTERM', () => process.exit(0));
  process.on('SIGINT', () => undefined);
  process.on('disconnect', () => process.exit(0));
}
