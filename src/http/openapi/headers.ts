// The headers of answers that a caller may rely on. One table; an operation names those that its answers carry.

interface HeaderEntry {
  readonly name: string;
  readonly description: string;
  /** Left out where it does not apply. */
  readonly required: boolean;
  readonly type: 'string' | 'integer';
  readonly example: string | number;
}

export const headers = {
  Location: {
    name: 'Location',
    description: 'Where the new thing is, as a path.',
    required: true,
    type: 'string',
    example: '/v1/interests/6a8f2f9e-6a53-4e0c-9d0f-2f1f6a0f4a11',
  },
  Link: {
    name: 'Link',
    description: 'The next page, as `<path>; rel="next"`. Absent on the last one.',
    required: false,
    type: 'string',
    example: '</v1/bots?limit=100&after=night-bot>; rel="next"',
  },
  NoStore: {
    name: 'Cache-Control',
    description: '`no-store`: the answer is good for this caller and this moment only.',
    required: true,
    type: 'string',
    example: 'no-store',
  },
  Revalidate: {
    name: 'Cache-Control',
    description: '`no-cache`: may be kept, and is asked about with its ETag before each use.',
    required: true,
    type: 'string',
    example: 'no-cache',
  },
  ETag: {
    name: 'ETag',
    description: 'Names this version; send it as If-None-Match.',
    required: true,
    type: 'string',
    example: '"0b5f2c9d41e7a863"',
  },
  RetryAfter: {
    name: 'Retry-After',
    description: 'Seconds to wait before the next try.',
    required: true,
    type: 'integer',
    example: 2,
  },
  WwwAuthenticate: {
    name: 'WWW-Authenticate',
    description: 'Always the same challenge; the credentials travel in headers of their own.',
    required: true,
    type: 'string',
    example: 'Relay realm="eventsub-relay"',
  },
} as const satisfies Record<string, HeaderEntry>;

export type HeaderName = keyof typeof headers;
