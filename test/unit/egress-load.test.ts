// The tables of the egress guard are built when they are loaded. A range in them that is none must end the start of the
// process; passed over, it would open what it was to close.
import { expect, it } from 'vitest';

it('every range in the tables is one', async () => {
  const { addressRanges } = await import('../../src/delivery/webhooks/egress/address-ranges.ts');
  const { unwrap } = await import('../../src/delivery/webhooks/egress/embedded-ipv4.ts');
  expect(addressRanges.length).toBeGreaterThan(40);
  expect(unwrap).toBeTypeOf('function');
});
