// The page of a browser that comes back: in words, for every end, and with foreign text that wants to be more than text.
import { describe, expect, test } from 'vitest';
import { authorizationPage } from '../../src/http/pages/authorization-page.ts';
import { escapeHtml, html } from '../../src/http/pages/html.ts';
import type { AuthorizationEnd } from '../../src/http/port-accounts.ts';

const completed = (more: object = {}): AuthorizationEnd => ({
  kind: 'completed',
  botName: 'desk',
  twitchLogin: 'botty',
  renewed: false,
  scopes: ['user:read:chat', 'bits:read'],
  for: 'browser',
  ...more,
});
const refused = (code: string, reason = 'because') => authorizationPage({ kind: 'refused', code, reason });

describe('it says', () => {
  test('which account may be used now, for what, and what to do', () => {
    const page = authorizationPage(completed());
    expect(page.status).toBe(200);
    for (const text of [
      'desk is connected',
      '<strong>botty</strong>',
      '<code>user:read:chat</code>',
      'Services may ask',
    ])
      expect(page.html).toContain(text);
    expect(page.html).not.toContain('tokens were replaced');
  });

  test('that a known account is well again', () => {
    const page = authorizationPage(completed({ renewed: true, botName: 'botty' }));
    expect(page.html).toContain('botty is connected again');
    expect(page.html).toContain('tokens were replaced');
    expect(page.html).not.toContain('It is called');
  });

  test('to a broadcaster how to take it back, and that nothing but the name was given', () => {
    const page = authorizationPage(completed({ for: 'broadcaster', scopes: [] }));
    expect(page.html).toContain('Nothing beyond knowing who you are');
    expect(page.html).toContain('under Connections');
  });

  test.each([
    ['state_missing', 400],
    ['state_unknown', 400],
    ['state_used', 400],
    ['state_expired', 400],
    ['code_invalid', 400],
    ['missing_scopes', 403],
    ['narrower_grant', 409],
    ['unknown_bot', 409],
    ['authorization_refused', 400],
    ['wrong_client', 409],
    ['anything_else', 400],
    ['access_denied', 403],
    ['wrong_user', 409],
    ['name_taken', 409],
    ['twitch_unreachable', 503],
    ['database_unavailable', 503],
    ['internal_error', 500],
    ['toString', 400],
    ['__proto__', 400],
  ])('%s with status %i', (code, status) => {
    const page = refused(code);
    expect(page.status).toBe(status);
    expect(page.html).toContain('<p>because</p>');
    expect(page.html).toMatch(/What now<\/h2>\s*<p>[A-Z]/);
  });
});

describe('foreign text stays text', () => {
  const nasty = [
    '<script>alert(1)</script>',
    '"><img src=x onerror=alert(1)>',
    `' onmouseover='alert(1)`,
    '</main></body><h1>owned',
    '</title><script>1</script>',
    '</style><script>1</script>',
    '&lt;b&gt; &amp; &#x3c;script>',
    '<!--',
    '${7*7}{{7*7}}',
  ];

  test.each(nasty)('%s', (text) => {
    const pages = [
      authorizationPage(completed({ botName: text, twitchLogin: text, scopes: [text] })).html,
      refused(text, text).html,
    ];
    const plain = authorizationPage(completed({ botName: 'a', twitchLogin: 'a', scopes: ['a'] })).html;
    const tags = (page: string | undefined) => page?.match(/<[^>]*>/g);
    for (const page of pages) {
      expect(page).toContain(escapeHtml(text));
      expect(page).not.toMatch(/<(script|img)/);
    }
    // It adds no tag and no attribute to what an ordinary name gives.
    expect(tags(pages[0])).toEqual(tags(plain));
    expect(tags(pages[1])).toEqual(tags(refused('other').html));
  });

  test('marks that turn writing around, and controls, are shown as what they are', () => {
    expect(escapeHtml('a\u202eb\u0000c\u2066d\u001b[0m')).toBe('a\ufffdb\ufffdc\ufffdd\ufffd[0m');
    expect(html`<i title="${'"x"'}">${'<b>'}</i>`.text).toBe('<i title="&quot;x&quot;">&lt;b&gt;</i>');
  });

  test('nothing is loaded from anywhere and nothing runs', () => {
    expect(authorizationPage(completed()).html).not.toMatch(
      /<script|<link|<img|src=|href=|url\(|@import|\son\w+=|style="/i,
    );
  });
});
