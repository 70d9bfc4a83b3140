// The part of the WebSocket API that the client uses, and where it comes from. It must never read a frame.

/** What the browser's WebSocket, Node's own and `ws` have in common. */
export interface SocketLike {
  readonly protocol: string;
  send(text: string): void;
  close(code?: number, reason?: string): void;
  /** `ws` only: hangs up without waiting for the other end. */
  terminate?(): void;
  addEventListener(type: 'open' | 'error', listener: () => void): void;
  addEventListener(type: 'message', listener: (event: { readonly data: unknown }) => void): void;
  addEventListener(
    type: 'close',
    listener: (event: { readonly code: number; readonly reason: string }) => void,
  ): void;
}

export type SocketConstructor = new (url: string, protocols: string[]) => SocketLike;

/** The given one, else the platform's, else the `ws` package (loaded only then). */
export async function socketConstructor(given?: SocketConstructor): Promise<SocketConstructor> {
  if (given) return given;
  if (typeof globalThis.WebSocket === 'function') return globalThis.WebSocket;
  const { WebSocket } = await import('ws');
  return WebSocket;
}

/** The address of the event stream; secrets travel in the subprotocol and never in it. */
export function streamUrl(
  baseUrl: URL,
  query: Readonly<Record<string, string | number | undefined>>,
): string {
  const url = new URL('ws/events', baseUrl);
  url.protocol = baseUrl.protocol === 'https:' ? 'wss:' : 'ws:';
  for (const [key, value] of Object.entries(query)) {
    if (value !== undefined) url.searchParams.set(key, String(value));
  }
  return url.href;
}
