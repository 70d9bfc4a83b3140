// Parts of a webhook request that are kept or written anew: where a URL leads, how an id stands in a header, which secrets
// sign.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { headerId } from '../../src/delivery/webhooks/header-id.ts';
import { SigningSecrets, validSecrets } from '../../src/delivery/webhooks/live-secrets.ts';
import { Targets } from '../../src/delivery/webhooks/targets.ts';

describe('where a URL leads', () => {
  it('is the same the first time, later, and after more URLs than are remembered', () => {
    const targets = new Targets();
    const url = 'HTTPS://Receiver.example:443/ä?x=/b#part';
    const target = {
      origin: 'https://receiver.example',
      path: '/%C3%A4?x=/b',
      protocol: 'https:',
      hostname: 'receiver.example',
      port: '',
      host: 'receiver.example',
    };
    expect([targets.of(url), targets.of(url)]).toEqual([target, target]);
    for (let n = 0; n < 1_100; n++)
      expect(targets.of(`http://${n}.example/`)?.origin).toBe(`http://${n}.example`);
    expect(targets.of(url)).toEqual(target);
  });

  it('is nowhere for what is not called, however often it is asked', () => {
    const targets = new Targets();
    for (const url of [
      '',
      'nonsense',
      'ftp://a.example/',
      'http://user@a.example/',
      'http://:word@a.example/',
    ])
      expect([targets.of(url), targets.of(url)]).toEqual([undefined, undefined]);
  });
});

describe('an id in a header', () => {
  it('is visible ASCII, and different ids stay different', () => {
    const id = fc.string({ unit: 'grapheme', minLength: 1 });
    fc.assert(
      fc.property(id, id, (one, two) => {
        expect(headerId(one)).toMatch(/^[\x21-\x7e]+$/);
        expect(headerId(one) === headerId(two)).toBe(one === two);
      }),
    );
    expect(headerId('a b')).not.toBe(headerId('a%20b'));
  });

  it('is itself where it can be, as those of the platform are', () => {
    for (const id of ['befa7b53-d79d-478f-86b9-120f112b044e', 'RYnVYFHj+/_-=', 'relay-gap-1'])
      expect(headerId(id)).toBe(id);
  });
});

// A secret that was rotated away because somebody else knows it must not go on proving who we are.
describe('the secrets that sign', () => {
  const secrets = [
    { secret: 'new', validUntil: null },
    { secret: 'old', validUntil: 2_000 },
  ];

  it('are those that are valid, up to the very instant, in their order', () => {
    expect(validSecrets(secrets, 1_999)).toEqual(['new', 'old']);
    expect(validSecrets(secrets, 2_000)).toEqual(['new']);
  });

  it('are the same however often and in whatever order of times they are asked for', () => {
    const signing = new SigningSecrets(secrets);
    for (const now of [1_000, 1_999, 2_000, 2_001, 1_500, 9_000])
      expect(signing.at(now)).toEqual(validSecrets(secrets, now));
    expect(signing.at(9_000)).toBe(signing.at(9_001));
  });

  it('are others at once when they are replaced', () => {
    const signing = new SigningSecrets(secrets);
    expect(signing.at(1_000)).toEqual(['new', 'old']);
    signing.replace([{ secret: 'newest', validUntil: null }]);
    expect(signing.at(1_000)).toEqual(['newest']);
  });
});
