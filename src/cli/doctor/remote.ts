// What the relay says of itself: alive, ready, the time, and every check it can make. Each answer becomes findings;
// nothing here throws for what the relay does.
import { z } from 'zod';
import { RelayApiError, type AdminClient, type BotView, type CheckView } from '../../client/index.ts';
import { asWord, authoriseAgain } from '../bots.ts';
import { describeFailure } from '../failure.ts';
import { duration } from '../format.ts';
import { interruptible, type Session } from '../session.ts';
import { botState } from '../views.ts';
import { finding, type Finding } from './finding.ts';

const answerWithinMs = 10_000;
/** The header tells whole seconds, and the way takes its time. */
const clockWarnMs = 10_000;
/** Receivers of webhooks refuse what is more than five minutes off. */
const clockFailMs = 300_000;

const readiness = z.looseObject({
  ready: z.boolean(),
  checks: z.array(z.looseObject({ name: z.string(), ok: z.boolean(), detail: z.string() })),
});
type Readiness = z.infer<typeof readiness>;

export interface Reached {
  readonly findings: readonly Finding[];
  /** Undefined: it is not reached, or did not say. */
  readonly readiness: Readiness | undefined;
  readonly reached: boolean;
}

/** /health, the clock by its `Date`, and /ready. */
export async function reachRelay({ io, connection }: Session): Promise<Reached> {
  // A timer of our own holds its signal: one of AbortSignal.timeout may be collected before it fires, and then never does.
  const get = async <T>(path: string, read: (answer: Response) => Promise<T>): Promise<T> => {
    const late = new AbortController();
    const cancel = io.clock.after(answerWithinMs, () => late.abort(lateAnswer()));
    const url = `${connection.url}${path}`;
    try {
      return await read(await interruptible(io)(url, { signal: late.signal, redirect: 'error' }));
    } finally {
      cancel();
    }
  };
  const sentAt = io.clock.now();
  let health: Response;
  try {
    health = await get('/health', async (answer) => {
      await answer.arrayBuffer();
      return answer;
    });
  } catch (cause) {
    if (io.signal.aborted) throw cause;
    return { findings: [unreached(cause, connection.url)], readiness: undefined, reached: false };
  }
  const clock = clockFinding(health.headers.get('date'), sentAt, io.clock.now());
  if (!health.ok) return { findings: [stranger(connection.url)], readiness: undefined, reached: false };
  const ready = readiness.safeParse(
    await get('/ready', (answer): Promise<unknown> => answer.json()).catch(() => undefined),
  );
  return {
    findings: [finding('relay', 'ok', `reached at ${connection.url}`), ...clock],
    readiness: ready.data,
    reached: true,
  };
}

const lateAnswer = () => Object.assign(new Error('no answer in time'), { code: 'ETIMEDOUT' });

function unreached(cause: unknown, url: string): Finding {
  const error = new RelayApiError(
    'GET /health',
    { status: 0, code: 'unreachable', detail: 'no answer' },
    { cause },
  );
  const { message, fix } = describeFailure(error, url);
  return finding('relay', 'failed', message, fix ?? null);
}

const stranger = (url: string): Finding =>
  finding(
    'relay',
    'failed',
    `what answers at ${url} is not a relay`,
    'Name the relay with --url or RELAY_URL.',
  );

/** The difference between this machine's clock and the relay's. Exported for its table of tests. */
export function clockFinding(date: string | null, sentAt: number, gotAt: number): Finding[] {
  const told = date === null ? Number.NaN : Date.parse(date);
  if (Number.isNaN(told)) return [];
  // The second that the header names is half over on average.
  const offMs = Math.abs(told + 500 - (sentAt + gotAt) / 2);
  if (offMs < clockWarnMs)
    return [finding('clock here', 'ok', 'this machine and the relay agree on the time')];
  return [
    finding(
      'clock here',
      offMs < clockFailMs ? 'warning' : 'failed',
      `this machine and the relay are ${duration(offMs)} apart`,
      'Let both set their clocks by NTP. Signatures of webhooks are refused when a clock is off.',
    ),
  ];
}

/** All that the admin may know; an older relay that has no checks is asked for its bots. */
export async function adminFindings(admin: AdminClient, ready: Readiness | undefined): Promise<Finding[]> {
  try {
    const [checks, bots] = await Promise.all([admin.checks(), admin.bots()]);
    return [...readyInOne(ready), ...checks.map((check) => ofCheck(check, bots))];
  } catch (error) {
    if (!(error instanceof RelayApiError) || error.status !== 404)
      return [...readyLines(ready), ofError(error)];
    return [
      ...readyLines(ready),
      ...(await admin.bots().then(
        (bots) => bots.map(ofBot),
        (cause: unknown) => [ofError(cause)],
      )),
    ];
  }
}

export function ofError(error: unknown): Finding {
  const { message, fix } = describeFailure(error);
  return finding('admin', 'failed', message, fix ?? null);
}

function ofCheck(
  { name, bot_account_id: id, status, detail, advice }: CheckView,
  bots: readonly BotView[],
): Finding {
  const bot = id === null ? undefined : (bots.find((each) => each.id === id) ?? { id, name: id });
  const found = commandFor.find(([call]) => advice?.includes(call));
  const here = bot && found?.[1](bot);
  return {
    name,
    bot: bot?.name ?? null,
    status,
    detail,
    advice: here === undefined ? advice : `${advice ?? ''} Here: ${here}`.trim(),
  };
}

/** The relay's advice names its calls; whoever is here has a command for the same. */
const commandFor: readonly (readonly [
  call: string,
  command: (bot: Pick<BotView, 'id' | 'name'>) => string,
])[] = [
  ['POST /v1/admin/bots/authorize', authoriseAgain],
  ['PATCH /v1/admin/bots/', (bot) => `eventsub-relay bots enable ${asWord(bot)}`],
  ['POST /v1/broadcaster-authorizations/start', () => 'eventsub-relay broadcasters authorize'],
];

function ofBot(bot: BotView): Finding {
  const state = botState(bot);
  const base = { name: 'token', bot: bot.name, advice: null };
  if (state === 'disabled') return { ...base, status: 'warning', detail: 'the bot is disabled' };
  if (state !== 'reauthorise')
    return { ...base, status: 'ok', detail: `Twitch accepts it; the session is ${state}` };
  return {
    ...base,
    status: 'failed',
    detail: 'Twitch refuses the token',
    advice: `Authorise it again: ${authoriseAgain(bot)}`,
  };
}

/** The checks say the same in more words, so that one line is enough. */
function readyInOne(ready: Readiness | undefined): Finding[] {
  if (!ready) return [finding('ready', 'failed', 'the relay does not say whether it is ready')];
  const not = ready.checks.filter(({ ok }) => !ok).map(({ name }) => name);
  return ready.ready
    ? [finding('ready', 'ok', 'the relay is ready')]
    : [finding('ready', 'failed', `the relay is not ready: ${not.join(', ')}`, 'See below.')];
}

export function readyLines(ready: Readiness | undefined): Finding[] {
  if (!ready) return readyInOne(ready);
  return ready.checks.map(({ name, ok, detail }) => finding(name, ok ? 'ok' : 'failed', detail));
}
