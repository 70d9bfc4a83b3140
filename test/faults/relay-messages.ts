// What the parent and the relay's process say to one another over IPC. Types only.

export type ToChild =
  | {
      readonly do: 'start';
      readonly env: Readonly<Record<string, string>>;
      readonly crashAt?: { readonly point: string; readonly hits: number } | undefined;
      /** How far its clock is from everybody else's. */
      readonly offsetMs: number;
      readonly dedupeWindowMs?: number | undefined;
    }
  | { readonly do: 'shift'; readonly ms: number }
  | { readonly do: 'arm'; readonly point: string; readonly hits: number }
  | { readonly do: 'kill_database' }
  | { readonly do: 'measure' };

export type FromChild =
  | { readonly is: 'loaded' | 'started' | 'shifted' | 'armed' }
  | { readonly is: 'database_killed'; readonly count: number }
  | { readonly is: 'measured'; readonly measured: Measured }
  | { readonly is: 'failed'; readonly why: string };

/** What the relay's process holds, after a collection if it may collect. Bytes and counts. */
export interface Measured {
  readonly collected: boolean;
  readonly heapBytes: number;
  readonly externalBytes: number;
  readonly rssBytes: number;
  readonly handles: number;
  readonly sockets: number;
  readonly timers: number;
}
