// How a documented answer is got out of the server: shapes, and the two ways to write one down.
import { RelayError } from '../../src/domain/errors.ts';
import type { ProblemCode } from '../../src/http/openapi/problems.ts';
import type { Ask, Rig } from './openapi-rig.ts';

export interface Recipe {
  readonly status: number;
  /** Of a problem document. */
  readonly code?: ProblemCode;
  readonly give: (rig: Rig) => Promise<Response>;
}

export interface Recipes {
  /** What the operation is usually asked; the parts of it that a refusal needs are replaced. */
  readonly usual: (rig: Rig) => Ask | Promise<Ask>;
  readonly answers: readonly Recipe[];
}

export const recipe = (status: number, give: Recipe['give'], code?: ProblemCode): Recipe => ({
  status,
  give,
  ...(code ? { code } : {}),
});

/** A part behind the server refuses so. */
export const failing =
  (
    status: number,
    code: ProblemCode,
    give: Recipe['give'],
    extra: Record<string, unknown> = {},
  ): Recipe['give'] =>
  (rig) =>
    rig.while(new RelayError(code, status, 'as a part behind it says', { extra }), () => give(rig));
