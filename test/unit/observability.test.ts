// No secret reaches a line, every counter is in the answer, and business events do both halves.
import { describe, expect, test } from 'vitest';
import { createBusinessEvents } from '../../src/observability/business-events.ts';
import { createLogger, humanLine, redactText } from '../../src/observability/logger.ts';
import { createMetrics } from '../../src/observability/metrics.ts';

function capture(format: 'json' | 'human' = 'json') {
  const lines: string[] = [];
  const destination = { write: (line: string) => void lines.push(line) };
  return { lines, log: createLogger({ level: 'debug', format, destination }) };
}

describe('the logger', () => {
  test('drops secrets wherever they are', () => {
    const { lines, log } = capture();
    log.info({ access_token: 'hidden', bot: { refreshToken: 'hidden', name: 'b' } }, 'one');
    log.info({ req: { headers: { authorization: 'Bearer hidden', 'x-client-secret': 'hidden' } } }, 'two');
    log.info({ url: '/ws/events?client_id=a&client_secret=hidden&after=x' }, 'GET /x?ws_token=hidden');
    log.warn({ err: new Error('refresh failed: {"refresh_token":"hidden"} OAuth hiddenhidden') }, 'three');
    log.warn({ err: Object.assign(new Error('x'), { code: 'ECONNREFUSED', body: 'hidden' }) }, 'four');
    log.info('postgres://user:hidden@host/db');
    expect(lines).toHaveLength(6);
    expect(lines.join('')).not.toContain('hidden');
    expect(lines.join('')).toContain('client_id=a');
    expect(lines[4]).toContain('ECONNREFUSED');
  });

  test('writes one JSON object per line, or one readable line', () => {
    const json = capture();
    json.log.info({ bot: 'b' }, 'hello');
    expect(JSON.parse(json.lines[0] ?? '')).toMatchObject({ level: 'info', bot: 'b', msg: 'hello' });
    const human = capture('human');
    human.log.warn({ bot: 'b', text: 'two words' }, 'hello');
    expect(human.lines[0]).toMatch(/^\d\d:\d\d:\d\d\.\d{3} warn {2}hello {2}bot=b {2}text="two words"\n$/);
    expect(humanLine('no json')).toBe('no json');
  });

  test('redaction leaves ordinary text alone', () => {
    expect(redactText('GET /v1/events?after=abc&limit=5')).toBe('GET /v1/events?after=abc&limit=5');
  });
});

describe('metrics', () => {
  test('gauges ask when they are read; every daemon has its own', async () => {
    const metrics = createMetrics({
      bots: () => [{ bot: 'b', sessions: 1, lastFrameAgeS: null, subscriptions: 3, cost: 2 }],
      log: () => ({ head: 7, floors: { chat: 2, standard: 0 } }),
      connections: () => ({ plain: 1, 'relay.v1': 2 }),
      maxConsumerLag: () => 4,
      ingest: () => ({ pending: 0, duplicatesTotal: 3, unwantedTotal: 0, droppedTotal: 0, refusedTotal: 0 }),
    });
    createMetrics();
    const { body, contentType } = await metrics.render();
    expect(contentType).toContain('application/openmetrics-text');
    expect(body).toContain('relay_upstream_subscriptions{bot="b"} 3');
    expect(body).not.toContain('relay_upstream_last_frame_age_seconds{');
    expect(body).toContain('relay_log_floor{class="chat"} 2');
    expect(body).toContain('relay_connections{protocol="relay.v1"} 2');
    expect(body.trimEnd().endsWith('# EOF')).toBe(true);
  });

  test('an event counts and is logged, and no upstream text becomes a label', async () => {
    const metrics = createMetrics();
    const { lines, log } = capture();
    const events = createBusinessEvents(metrics, log, new Set(['channel.follow']));
    events.notificationReceived('channel.follow');
    events.notificationReceived('made.up');
    events.malformedFrame('b', 'no JSON', true);
    events.malformedFrame('b', 'no JSON', false);
    events.gapDeclared({ bot: 'b', cause: 'restart', topics: 2, from: 0, to: 1000 });
    events.consumerClosed({ service: 's', protocol: 'plain', code: 4409, reason: 'replaced' });
    events.eventsSent('plain', 3);
    const { body } = await metrics.render();
    expect(body).toContain('relay_notifications_total{type="other"} 1');
    expect(body).toContain('relay_upstream_malformed_frames_total 2');
    expect(body).toContain('relay_gaps_total{cause="restart"} 1');
    expect(body).toContain('relay_connection_closes_total{code="4409"} 1');
    expect(body).toContain('relay_events_sent_total{protocol="plain"} 3');
    expect(lines).toHaveLength(3);
    expect(lines[1]).toContain('"from":"1970-01-01T00:00:00.000Z"');
  });
});
