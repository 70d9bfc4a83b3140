// The description itself, and the page on which it is read.
import { z } from 'zod';
import type { Operation } from '../operation.ts';

const shared = { method: 'get', tag: 'Documentation', who: 'none', database: false } as const;
const headers = ['ETag', 'Revalidate'] as const;
const notModified = { description: 'It is the version that If-None-Match names.', headers };
const json = {
  200: { description: 'The document.', schema: 'ApiDocument', headers },
  304: notModified,
} as const;

export const documentationOperations: readonly Operation[] = [
  {
    ...shared,
    id: 'getOpenApi',
    path: '/openapi.json',
    summary: 'This description, as OpenAPI 3.1',
    answers: json,
  },
  {
    ...shared,
    id: 'getAsyncApi',
    path: '/asyncapi.json',
    summary: 'The description of the WebSocket, as AsyncAPI 3.0',
    answers: json,
  },
  {
    ...shared,
    id: 'getDocs',
    path: '/docs',
    summary: 'A page to read this description and to try it',
    answers: { 200: { description: 'The page.', contentType: 'text/html', headers }, 304: notModified },
  },
  {
    ...shared,
    id: 'getDocsFile',
    path: '/docs/{file}',
    summary: 'A part of the page',
    pathParameters: z.object({ file: z.string().describe('Which one, as the page asks for it.') }),
    answers: {
      200: { description: 'Script, style or image.', contentType: '*/*', headers },
      304: notModified,
    },
    problems: { 404: ['not_found'] },
  },
];
