// The parameters that several operations share. Path parameters are described, not validated here: an id that is none is
// simply unknown.
import { z } from 'zod';
import { pageLimit } from '../../protocol/rest.ts';
import { uuid } from '../../protocol/scalars.ts';

const limit = pageLimit.describe('How many there are to be on a page.');

export const idPath = (what: string) => z.object({ id: uuid.describe(`The id of the ${what}.`) });

/** A list in the order of a name or an id; `key` says which. */
export const pageQuery = (key: string) =>
  z.object({
    limit,
    after: z
      .string()
      .max(200)
      .optional()
      .describe(`The ${key} of the last one that is known; what follows it is shown.`),
  });

export const waitQuery = (wait: z.ZodType, what: string) =>
  z.object({ wait: wait.describe(`How many seconds to wait, at most, ${what}.`) });
