// Faults of the frames themselves: repeated, out of order, unreadable, huge, or of nobody's business.
import type { FaultSpec, SentNotification } from '../../simulator/index.ts';
import type { FaultKind, Stage, StageBot } from '../contract.ts';
import { anyOf } from './pick.ts';
import { anyMs, everyDatabase, topicsOf } from './upstream.ts';

const inGroup = { group: 'frames', databases: everyDatabase } as const;

/** What the simulator does to notifications as they leave. */
const armed: readonly {
  readonly name: string;
  readonly what: string;
  readonly fault: (stage: Stage) => FaultSpec & { readonly times: number };
}[] = [
  {
    name: 'frames-duplicate',
    what: 'notifications come twice or more, each time under the same message id',
    fault: (stage) => ({ name: 'duplicate_notifications', copies: anyMs(stage, 1, 3), times: 60 }),
  },
  {
    name: 'frames-reordered',
    what: 'notifications come behind later ones',
    fault: (stage) => ({ name: 'reorder_notifications', delayMs: anyMs(stage, 20, 250), times: 30 }),
  },
  {
    name: 'frames-unknown-type',
    what: 'messages come of a type that did not exist when the relay was written',
    fault: () => ({ name: 'unknown_message_type', times: 20 }),
  },
];

const armedKind = ({ name, what, fault }: (typeof armed)[number]): FaultKind => ({
  ...inGroup,
  name,
  what,
  mayLose: false,
  async play(stage) {
    const from = Date.now();
    const spec = fault(stage);
    const handle = stage.sim.arm(spec);
    try {
      await stage.until(() => handle.fired() === spec.times, `${name} to strike`);
    } finally {
      handle.disarm();
    }
    return { fired: handle.fired(), from, to: Date.now() };
  },
});

interface Frames {
  /** What Twitch has just sent to the bot. */
  readonly last: SentNotification;
  readonly stage: Stage;
}

interface Metadata {
  message_id: string;
  message_type: string;
  message_timestamp: string;
}

interface NotificationText {
  metadata: Metadata;
  payload: {
    subscription: { id: string; status: string; condition: Record<string, string> };
    event: unknown;
  };
}

/** The last notification as another message of Twitch's own making. */
function altered({ last, stage }: Frames, change: (message: NotificationText) => void): string {
  const message = JSON.parse(last.text) as NotificationText;
  message.metadata.message_id = `made-${Date.now()}-${anyMs(stage, 0, 1e9)}`;
  message.metadata.message_timestamp = new Date().toISOString();
  change(message);
  return JSON.stringify(message);
}

/** Frames beside the notifications. What cannot be read may have been an event, so its moment is declared. */
const extra: readonly {
  readonly name: string;
  readonly what: string;
  readonly isReadable: boolean;
  readonly frame: (frames: Frames) => string | Buffer;
}[] = [
  {
    name: 'frame-malformed',
    what: 'frames come that are no JSON',
    isReadable: false,
    frame: ({ stage }) => anyOf(stage, ['{"metadata":{"message_id":"not json at', '', 'null', '[]', '{}']),
  },
  {
    name: 'frame-truncated',
    what: 'notifications come cut off in the middle',
    isReadable: false,
    frame: ({ last, stage }) => last.text.slice(0, anyMs(stage, 1, last.text.length - 1)),
  },
  {
    name: 'frame-binary',
    what: 'frames come that are binary',
    isReadable: false,
    frame: ({ stage }) => Buffer.from(Array.from({ length: 64 }, () => anyMs(stage, 0, 255))),
  },
  {
    name: 'frame-of-an-unknown-subscription',
    what: 'notifications come of a subscription that nobody made',
    isReadable: true,
    frame: (frames) =>
      altered(frames, ({ payload }) => {
        payload.subscription.id = '00000000-0000-4000-8000-000000000000';
        payload.subscription.condition = { broadcaster_user_id: '404' };
      }),
  },
  {
    name: 'frame-of-an-unknown-revocation',
    what: 'a subscription is revoked that nobody made',
    isReadable: true,
    frame: (frames) =>
      altered(frames, ({ metadata, payload }) => {
        metadata.message_type = 'revocation';
        payload.subscription.id = '00000000-0000-4000-8000-000000000000';
        payload.subscription.status = 'authorization_revoked';
        delete payload.event;
      }),
  },
  {
    name: 'frame-repeated-and-padded',
    what: 'a notification comes again in a frame of a mebibyte, most of it blanks',
    isReadable: true,
    frame: ({ last }) => last.text + ' '.repeat(1024 * 1024 - last.text.length),
  },
];

async function lastSentTo(stage: Stage, session: string): Promise<SentNotification> {
  return stage.until(
    () => stage.sim.sent.findLast((each) => each.sessionId === session && each.delivered && each.text !== ''),
    'a notification of the session',
  );
}

const extraKind = ({ name, what, isReadable, frame }: (typeof extra)[number]): FaultKind => ({
  ...inGroup,
  name,
  what,
  mayLose: !isReadable,
  async play(stage) {
    const bot = anyOf(stage, stage.bots);
    const session = await stage.session(bot);
    const from = Date.now();
    const times = anyMs(stage, 1, 6);
    for (let i = 0; i < times; i++) {
      stage.sim.sendRaw(session, frame({ stage, last: await lastSentTo(stage, session) }));
      await stage.lasts(anyMs(stage, 0, 60));
    }
    // Read and survived: what is behind the frames comes in on the same session.
    if ((await stage.session(bot)) !== session) throw new Error(`${name} cost the session`);
    return { fired: times, from, to: Date.now(), bots: [bot] };
  },
});

/** One event whose channel has so long a name; nothing else of its time has. */
function huge(stage: Stage, bot: StageBot, bytes: number): number {
  const topic = anyOf(stage, topicsOf(stage, bot));
  const user = stage.sim.users().find(({ id }) => id === topic.broadcasterId);
  if (!user) throw new Error(`there is no user ${topic.broadcasterId}`);
  stage.sim.addUser({ ...user, displayName: 'ü'.repeat(bytes / 2) });
  try {
    const { messageIds } = stage.happen(topic);
    const sent = stage.sim.sent.findLast(({ messageId }) => messageIds.includes(messageId));
    return Buffer.byteLength(sent?.text ?? '');
  } finally {
    stage.sim.addUser(user);
  }
}

const hugeKind = (name: string, bytes: number, times: number): FaultKind => ({
  ...inGroup,
  name,
  what: `notifications come of ${bytes / 1024} KiB each`,
  mayLose: false,
  async play(stage) {
    const bot = anyOf(stage, stage.bots);
    await stage.session(bot);
    const from = Date.now();
    let fired = 0;
    for (let i = 0; i < times; i++) {
      if (huge(stage, bot, bytes) >= bytes) fired += 1;
      await stage.lasts(anyMs(stage, 0, 100));
    }
    return { fired, from, to: Date.now(), bots: [bot] };
  },
});

export const framesKinds: readonly FaultKind[] = [
  ...armed.map((each) => armedKind(each)),
  ...extra.map((each) => extraKind(each)),
  hugeKind('frame-64-kib', 64 * 1024, 5),
  hugeKind('frame-1-mib', 1024 * 1024, 1),
];
