// The guard over URLs and names, with a resolver that says what the test wants: what is refused, and in which words.
import { describe, expect, it } from 'vitest';
import { parseCidrs } from '../../src/domain/cidr.ts';
import type { Lookup } from '../../src/delivery/webhooks/egress/index.ts';
import { createEgressGuard, systemLookup } from '../../src/delivery/webhooks/egress/index.ts';
import { ShiftClock } from '../support/shift-clock.ts';
import { until } from '../support/until.ts';

const noSuchName = Object.assign(new Error('getaddrinfo ENOTFOUND'), { code: 'ENOTFOUND' });

function guardWith(names: Readonly<Record<string, readonly string[]>>, allowed = '') {
  const asked: string[] = [];
  const read = parseCidrs(allowed);
  if (!read.ok) throw new Error(read.bad);
  const lookup: Lookup = async (hostname) => {
    asked.push(hostname);
    const found = names[hostname];
    if (!found) throw noSuchName;
    return found.map((address) => ({ address }));
  };
  return { ...createEgressGuard({ allowedCidrs: read.cidrs, lookup }), asked };
}

describe('check', () => {
  it.each([
    ['', 'scheme'],
    ['hooks.example/in', 'scheme'],
    ['//hooks.example/in', 'scheme'],
    ['ftp://hooks.example/in', 'scheme'],
    ['ws://hooks.example/in', 'scheme'],
    ['file:///etc/passwd', 'scheme'],
    ['javascript:alert(1)', 'scheme'],
    ['data:text/plain,x', 'scheme'],
    ['http://', 'scheme'],
    ['http://1.2.3.4.5/', 'scheme'],
    ['http://256.0.0.1/', 'scheme'],
    ['http://[fe80::1%25eth0]/', 'scheme'],
    ['http://hooks.example:99999/', 'scheme'],
    ['http://user@hooks.example/', 'userinfo'],
    ['https://:pass@hooks.example/', 'userinfo'],
    ['https://hooks.example@127.0.0.1/', 'userinfo'],
    ['http://127.0.0.1/', 'loopback'],
    ['http://[::1]/', 'loopback'],
  ])('%j: %s', async (url, refusal) => {
    expect(await guardWith({ 'hooks.example': ['93.184.216.34'] }).check(url)).toMatchObject({
      ok: false,
      refusal,
    });
  });

  it('never repeats user information, path or query', async () => {
    const guard = guardWith({ 'hooks.example': ['10.0.0.7'] });
    const rest = '/p-whisper?q=whisper#whisper';
    for (const url of [
      `http://whisper:whisper@hooks.example${rest}`,
      `whisper:whisper@hooks.example${rest}`,
      `http://hooks.example${rest}`,
      `http://127.0.0.1${rest}`,
      `gopher://hooks.example${rest}`,
      `http://hooks .example${rest}`,
    ]) {
      const verdict = await guard.check(url);
      expect(verdict.ok).toBe(false);
      expect(JSON.stringify(verdict)).not.toContain('whisper');
    }
  });

  it('says what was refused and which setting would allow it', async () => {
    const guard = guardWith({ 'hooks.example': ['10.0.0.7'] });
    expect(await guard.check('http://2130706433/hook')).toEqual({
      ok: false,
      refusal: 'loopback',
      message:
        '127.0.0.1, which is a loopback address: webhooks are not sent there; if a receiver of yours is there, add 127.0.0.1/32 to WEBHOOK_ALLOWED_CIDRS',
    });
    expect(await guard.check('https://hooks.example/hook')).toEqual({
      ok: false,
      refusal: 'private',
      message:
        'hooks.example resolves to 10.0.0.7, which is a private address: webhooks are not sent there; if a receiver of yours is there, add 10.0.0.7/32 to WEBHOOK_ALLOWED_CIDRS',
    });
    expect(await guard.check('http://169.254.169.254/')).toMatchObject({
      refusal: 'metadata',
      message: expect.stringMatching(/no setting allows that$/) as string,
    });
  });

  it('advises everything that has to be opened, and nothing when something never opens', async () => {
    const names = { localhost: ['::1', '127.0.0.1'], mixed: ['127.0.0.1', '169.254.169.254'] };
    expect(await guardWith(names).check('http://localhost/')).toMatchObject({
      message: expect.stringContaining('add ::1/128,127.0.0.1/32 to') as string,
    });
    expect(await guardWith(names, '127.0.0.0/8').check('http://localhost/')).toMatchObject({
      message: expect.stringContaining('add ::1/128 to') as string,
    });
    expect(await guardWith(names, '127.0.0.0/8,::1/128').check('http://localhost/')).toEqual({ ok: true });
    expect(await guardWith(names).check('http://mixed/')).toMatchObject({
      refusal: 'metadata',
      message: expect.stringContaining('no setting') as string,
    });
  });

  it('lets a name pass that does not resolve, or has no addresses yet', async () => {
    const guard = guardWith({ empty: [] });
    expect(await guard.check('http://nowhere.example/')).toEqual({ ok: true });
    expect(await guard.check('http://empty/')).toEqual({ ok: true });
    expect(guard.asked).toEqual(['nowhere.example', 'empty']);
  });

  it('lets a name pass whose name server keeps silent, within five seconds, and leaves no timer', async () => {
    const clock = new ShiftClock();
    let asked = 0;
    const guard = createEgressGuard({
      allowedCidrs: [],
      clock,
      lookup: () => {
        asked++;
        return new Promise(() => {});
      },
    });
    const verdict = guard.check('http://silent.example/');
    await clock.advance(4_000);
    expect(clock.pending).toBe(1);
    await clock.advance(1_500);
    expect(await verdict).toEqual({ ok: true });
    expect({ asked, pending: clock.pending }).toEqual({ asked: 1, pending: 0 });
  });

  it('leaves no timer when the answer comes', async () => {
    const clock = new ShiftClock();
    const guard = createEgressGuard({
      allowedCidrs: [],
      clock,
      lookup: async () => [{ address: '10.0.0.1' }],
    });
    expect((await guard.check('http://hooks.example/')).ok).toBe(false);
    expect(clock.pending).toBe(0);
  });
});

describe('resolve', () => {
  it('answers the vetted addresses in order, each once', async () => {
    const guard = guardWith({ two: ['2606:4700::1111', '93.184.216.34', '93.184.216.34'] });
    expect(await guard.resolve('two')).toEqual({
      ok: true,
      addresses: [
        { address: '2606:4700::1111', family: 6 },
        { address: '93.184.216.34', family: 4 },
      ],
    });
  });

  it.each([
    ['one of many is private', ['93.184.216.34', '2606:4700::1111', '192.168.0.1'], 'private'],
    ['the first is private', ['192.168.0.1', '93.184.216.34'], 'private'],
    ['an answer is no address', ['93.184.216.34', '0177.0.0.1'], 'reserved'],
    ['an answer is disguised', ['::ffff:127.0.0.1'], 'loopback'],
  ])('refuses when %s', async (_, answer, refusal) => {
    expect(await guardWith({ name: answer }).resolve('name')).toMatchObject({ ok: false, refusal });
  });

  it('asks no resolver about an address, with brackets or without', async () => {
    const guard = guardWith({}, '::1/128');
    expect(await guard.resolve('[::1]')).toEqual({ ok: true, addresses: [{ address: '::1', family: 6 }] });
    expect(await guard.resolve('8.8.8.8')).toMatchObject({ ok: true });
    expect(guard.asked).toEqual([]);
  });

  it('leaves odd spellings to the resolver, and judges what it makes of them', async () => {
    const guard = guardWith({ '127.1': ['127.0.0.1'] });
    expect(await guard.resolve('127.1')).toMatchObject({ ok: false, refusal: 'loopback' });
  });

  // Half of a pair of brackets must not make an address out of a name.
  it.each(['[127.0.0.10', '127.0.0.1]', '[::1', '::1]'])('takes %s for a name', async (hostname) => {
    const guard = guardWith({ [hostname]: ['93.184.216.34'] });
    expect(await guard.resolve(hostname)).toMatchObject({ ok: true });
    expect(guard.asked).toEqual([hostname]);
  });

  it('says of a name without addresses what the system would, and asks for the longest that there can be', async () => {
    const longest = 'a'.repeat(254);
    const guard = guardWith({ 'empty.example': [], [longest]: ['93.184.216.34'] });
    await expect(guard.resolve('empty.example')).rejects.toMatchObject({
      code: 'ENOTFOUND',
      syscall: 'lookup',
      message: 'the name has no addresses',
    });
    expect(await guard.resolve(longest)).toMatchObject({ ok: true });
    await expect(guard.resolve(`${longest}a`)).rejects.toMatchObject({ code: 'ENOTFOUND' });
    expect(guard.asked).toEqual(['empty.example', longest]);
  });

  it('advises no more than anybody would read', async () => {
    const many = Array.from({ length: 9 }, (_, n) => `10.0.0.${n}`);
    const refused = await guardWith({ 'hooks.example': many }).resolve('hooks.example');
    expect(refused.ok ? '' : refused.message).toContain(
      'add 10.0.0.0/32,10.0.0.1/32,10.0.0.2/32,10.0.0.3/32 to WEBHOOK_ALLOWED_CIDRS',
    );
  });

  it("rejects with the resolver's error", async () => {
    await expect(guardWith({}).resolve('nowhere.example')).rejects.toBe(noSuchName);
    await expect(guardWith({ empty: [] }).resolve('empty')).rejects.toMatchObject({ code: 'ENOTFOUND' });
  });
});

describe('judge', () => {
  it('tells of one address', () => {
    const guard = guardWith({}, '10.0.0.0/8');
    expect(guard.judge('10.1.2.3')).toEqual({ ok: true });
    expect(guard.judge('::ffff:10.1.2.3')).toEqual({ ok: true });
    expect(guard.judge('172.16.0.1')).toMatchObject({ ok: false, refusal: 'private' });
    expect(guard.judge('hooks.example')).toMatchObject({ ok: false, refusal: 'reserved' });
  });
});

describe("the system's resolver", () => {
  it('knows localhost, which is therefore refused', async () => {
    const guard = createEgressGuard({ allowedCidrs: [] });
    expect(await guard.check('http://localhost:1/')).toMatchObject({ ok: false, refusal: 'loopback' });
  });

  it('is asked once at a time for a name, and again afterwards', async () => {
    const { lookup, asked, answer } = scripted();
    const both = Promise.all([lookup('a'), lookup('a')]);
    await until(() => asked.length > 0);
    answer('a', '1.1.1.1');
    expect((await both).map(([first]) => first?.address)).toEqual(['1.1.1.1', '1.1.1.1']);
    const again = lookup('a');
    answer('a', '3.3.3.3');
    expect([(await again)[0]?.address, asked]).toEqual(['3.3.3.3', ['a', 'a']]);
  });

  it('is asked again after it failed', async () => {
    let asked = 0;
    const resolve = async () => {
      if (asked++ === 0) throw noSuchName;
      return [{ address: '1.1.1.1' }];
    };
    const lookup = systemLookup({ resolve });
    await expect(lookup('a')).rejects.toBe(noSuchName);
    expect(await lookup('a')).toEqual([{ address: '1.1.1.1' }]);
  });

  it('is asked for one name at a time of those that are slow, and for the others at once', async () => {
    const { lookup, asked, answer, clock } = scripted();
    const first = lookup('good');
    await until(() => asked.length === 1);
    answer('good', '1.1.1.1');
    await first;

    const slow = ['dead-1', 'dead-2', 'dead-3'].map((name) => lookup(name));
    await until(() => asked.length === 2);
    for (let n = 0; n < 3; n++) {
      const good = lookup('good');
      answer('good', '1.1.1.1');
      await good;
    }
    expect(asked.filter((name) => name !== 'good')).toEqual(['dead-1']);

    // As slow once more: what is known of it now is that it is slow.
    clock.jump(10_000);
    answer('dead-1', '2.2.2.2');
    await slow[0];
    const again = lookup('dead-1');
    for (const name of ['dead-2', 'dead-3', 'dead-1']) {
      await until(() => asked.at(-1) === name, { what: `the question for ${name}` });
      answer(name, '2.2.2.2');
    }
    await Promise.all([...slow, again]);

    // Those were quick: nobody waits for them any more.
    const both = [lookup('dead-1'), lookup('dead-2')];
    expect(asked.slice(-2)).toEqual(['dead-1', 'dead-2']);
    answer('dead-1', '2.2.2.2');
    answer('dead-2', '2.2.2.2');
    await Promise.all(both);
  });

  it('is not asked for what no name can be', async () => {
    const guard = createEgressGuard({ allowedCidrs: [] });
    const name = `${'a'.repeat(60)}.`.repeat(5);
    await expect(guard.resolve(name)).rejects.toMatchObject({ code: 'ENOTFOUND' });
  });
});

/** The system's look-up over a resolver that answers when it is told to. */
function scripted() {
  const asked: string[] = [];
  const waiting = new Map<string, (address: string) => void>();
  const clock = new ShiftClock();
  const resolve: Lookup = (hostname) => {
    asked.push(hostname);
    return new Promise((done) => waiting.set(hostname, (address) => done([{ address }])));
  };
  const lookup = systemLookup({ clock, resolve });
  return { lookup, asked, clock, answer: (name: string, address: string) => waiting.get(name)?.(address) };
}
