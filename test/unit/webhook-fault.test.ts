// What an error code comes to: the whole table, before the connection stands and afterwards. And what an attempt makes of
// the parts of an answer in an order that no socket gives on demand.
import { errors } from 'undici';
import { describe, expect, it } from 'vitest';
import { Attempt, type AttemptEnd } from '../../src/delivery/webhooks/attempt.ts';
import { ConnectTimeoutError, EgressRefusedError } from '../../src/delivery/webhooks/egress/index.ts';
import { faultOf } from '../../src/delivery/webhooks/fault.ts';
import type { OutcomeKind } from '../../src/delivery/webhooks/outcome.ts';

const coded = (code: string) => Object.assign(new Error(`connect ${code} http://h/secret-path`), { code });

const table: Readonly<Record<string, readonly [connecting: OutcomeKind, sent: OutcomeKind]>> = {
  ECONNREFUSED: ['connection_refused', 'connection_refused'],
  EHOSTUNREACH: ['connection_refused', 'connection_refused'],
  ECONNRESET: ['connection_reset', 'connection_reset'],
  EPIPE: ['connection_reset', 'connection_reset'],
  UND_ERR_SOCKET: ['connection_reset', 'connection_reset'],
  ETIMEDOUT: ['connect_timeout', 'timeout'],
  ENOTFOUND: ['dns_failed', 'dns_failed'],
  EPROTO: ['tls_failed', 'tls_failed'],
  DEPTH_ZERO_SELF_SIGNED_CERT: ['tls_failed', 'tls_failed'],
  SELF_SIGNED_CERT_IN_CHAIN: ['tls_failed', 'tls_failed'],
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: ['tls_failed', 'tls_failed'],
  CERT_HAS_EXPIRED: ['tls_failed', 'tls_failed'],
  ERR_TLS_CERT_ALTNAME_INVALID: ['tls_failed', 'tls_failed'],
  ERR_SSL_WRONG_VERSION_NUMBER: ['tls_failed', 'tls_failed'],
  ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED: ['tls_failed', 'tls_failed'],
  UND_ERR_HEADERS_OVERFLOW: ['protocol_error', 'protocol_error'],
  // This side's, as long as the receiver cannot have the event.
  EAI_AGAIN: ['ours', 'connection_reset'],
  ENETUNREACH: ['ours', 'connection_reset'],
  ENETDOWN: ['ours', 'connection_reset'],
  EMFILE: ['ours', 'connection_reset'],
  ENFILE: ['ours', 'connection_reset'],
  ENOBUFS: ['ours', 'connection_reset'],
  ENOMEM: ['ours', 'connection_reset'],
  EADDRNOTAVAIL: ['ours', 'connection_reset'],
  ESOMETHING: ['ours', 'connection_reset'],
};

describe('a fault', () => {
  it.each(Object.entries(table))('%s', (code, [connecting, sent]) => {
    const error = coded(code);
    expect(faultOf(error, 'connecting')).toMatchObject({ kind: connecting });
    expect(faultOf(error, 'sent')).toMatchObject({ kind: sent });
    expect(faultOf(error, 'sent').message).toContain(`(${code})`);
    expect(faultOf(error, 'connecting').message).not.toContain('secret-path');
  });

  it('of several addresses is the first one', () => {
    const several = new AggregateError([coded('ECONNREFUSED'), coded('EMFILE')]);
    expect(faultOf(several, 'connecting').kind).toBe('connection_refused');
  });

  it('without a code is ours only while connecting', () => {
    for (const nothing of [new Error('?'), undefined, 'text', new AggregateError([])]) {
      expect(faultOf(nothing, 'connecting').kind).toBe('ours');
      expect(faultOf(nothing, 'sent').kind).toBe('connection_reset');
    }
  });

  it('of the guard and of the connector has their own words', () => {
    const refused = new EgressRefusedError('private', '10.0.0.1 is private');
    expect(faultOf(refused, 'connecting')).toEqual({
      kind: 'egress_refused',
      message: '10.0.0.1 is private',
    });
    const kinds = (['resolve', 'tcp', 'tls'] as const).map(
      (phase) => faultOf(new ConnectTimeoutError(phase, 5_000), 'connecting').kind,
    );
    expect(kinds).toEqual(['ours', 'connect_timeout', 'connect_timeout']);
  });

  it('of the HTTP parser needs no code', () => {
    expect(faultOf(new errors.HTTPParserError('Response does not match'), 'sent').kind).toBe(
      'protocol_error',
    );
  });
});

describe('an attempt', () => {
  function rig() {
    const ends: AttemptEnd[] = [];
    const aborts: unknown[] = [];
    const controller = {
      aborted: false,
      paused: false,
      reason: null,
      abort: (reason: unknown) => void aborts.push(reason),
      pause: () => undefined,
      resume: () => undefined,
    };
    const attempt = new Attempt({
      limits: { maxAnswerBytes: 100, keptAnswerBytes: 10 },
      secrets: [],
      onEnd: (end) => ends.push(end),
    });
    return { attempt, ends, aborts, controller };
  }

  it('that would be sent a second time is not, and counts as reset', () => {
    const { attempt, ends, aborts, controller } = rig();
    attempt.onRequestStart(controller);
    expect(aborts).toEqual([]);
    attempt.onRequestStart(controller);
    expect(aborts).toHaveLength(1);
    expect(ends).toMatchObject([{ kind: 'connection_reset', reusable: false }]);
  });

  it('that was cut off before it was sent is not sent', () => {
    const { attempt, ends, aborts, controller } = rig();
    attempt.cutOff('deadline');
    attempt.onRequestStart(controller);
    expect(aborts).toHaveLength(1);
    expect(ends).toMatchObject([{ kind: 'connect_timeout' }]);
  });

  it('ends once, whatever comes afterwards', () => {
    const { attempt, ends, controller } = rig();
    attempt.onRequestStart(controller);
    attempt.onResponseStart(controller, 200, {});
    attempt.onResponseEnd();
    attempt.onResponseData(controller, Buffer.alloc(1_000));
    attempt.onResponseError(controller, coded('ECONNRESET'));
    attempt.cutOff('aborted');
    attempt.cutOff('deadline');
    expect(ends).toMatchObject([{ kind: 'success', status: 200, reusable: true }]);
  });

  it('has the status that was there, whatever ended the body, and then the connection is not used again', () => {
    const endings: ((attempt: Attempt, controller: ReturnType<typeof rig>['controller']) => void)[] = [
      (attempt) => attempt.cutOff('deadline'),
      (attempt) => attempt.cutOff('aborted'),
      (attempt) => attempt.onResponseError(undefined, coded('EMFILE')),
      (attempt, controller) => attempt.onResponseData(controller, Buffer.alloc(101)),
    ];
    for (const status of [200, 500])
      for (const ending of endings) {
        const { attempt, ends, controller } = rig();
        attempt.onRequestStart(controller);
        attempt.onResponseStart(controller, 103, {});
        attempt.onResponseStart(controller, status, {});
        ending(attempt, controller);
        expect(ends).toMatchObject([
          { status, kind: status === 200 ? 'success' : 'server_error', reusable: false },
        ]);
      }
  });
});
