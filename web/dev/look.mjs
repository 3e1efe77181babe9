/**
 * Drives the built pages over the mock in Chromium: pictures of every state into $LOOK_DIR, axe-core
 * on each, and checks of what only a browser shows. Exits 1 on a finding.
 */

import { mkdir, readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { chromium } from 'playwright-core';

import { Mock } from './mock.mjs';

const OUT = process.env.LOOK_DIR ?? '/tmp/paceboard-look';
const AXE = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];
const only = process.argv[2];

const findings = [];
const note = (where, what) => {
  findings.push(`${where}: ${what}`);
  console.log(`  FINDING ${where}: ${what}`);
};
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

await mkdir(OUT, { recursive: true });
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: FLAGS });

/** A fresh company, browser profile and page, signed in as `as`. */
async function scene(name, options, act) {
  if (only && !name.includes(only)) return;
  const { as = 'rep-282', path = '/boards/reps', width = 1440, height = 1000, theme = 'light', motion = 'no-preference', scale = 1, touch = false } = options;
  const mock = new Mock();
  const origin = await mock.listen();
  const context = await browser.newContext({ viewport: { width, height }, colorScheme: theme, reducedMotion: motion, deviceScaleFactor: scale, hasTouch: touch });
  if (as) await context.addCookies([{ name: 'paceboard', value: as, url: origin }]);
  const page = await context.newPage();
  page.on('console', (message) => {
    // The mock refuses sockets and sessions on purpose; the browser reports that as an error.
    const isOurs = message.type() === 'error' && !/401|404|WebSocket/.test(message.text());
    if (isOurs || /Content Security Policy/.test(message.text())) note(name, message.text());
  });
  page.on('pageerror', (error) => note(name, error.message));
  page.on('request', (request) => {
    if (!request.url().startsWith(origin)) note(name, `external request ${request.url()}`);
  });
  await page.addInitScript(() => {
    window.shift = 0;
    window.refused = [];
    document.addEventListener('securitypolicyviolation', (event) => window.refused.push(event.violatedDirective));
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) window.shift += entry.value;
    }).observe({ type: 'layout-shift', buffered: true });
  });
  try {
    await page.goto(origin + path);
    await page.evaluate(() => document.fonts.ready);
    await act({ page, mock, origin });
    await page.screenshot({ path: `${OUT}/${name}.png` });
    await axe(page, name);
    for (const directive of await page.evaluate(() => window.refused)) note(name, `refused by policy: ${directive}`);
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    if (wide > 0) note(name, `scrolls sideways by ${wide} px`);
    console.log(`  ${name}`);
  } catch (error) {
    note(name, error.message.split('\n')[0]);
    await page.screenshot({ path: `${OUT}/${name}.png` }).catch(() => undefined);
  } finally {
    await context.close();
    mock.close();
  }
}

async function axe(page, name) {
  // Evaluated from outside the page, so the page's own content policy stays in force.
  await page.evaluate(AXE);
  const { violations } = await page.evaluate(() => window.axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21aa', 'wcag22aa', 'best-practice'] }));
  for (const { id, impact, nodes } of violations) note(name, `axe ${impact} ${id}: ${nodes[0].html.slice(0, 160)} | ${nodes[0].failureSummary?.split('\n')[1] ?? ''} (${nodes.length})`);
}

const live = (page, state = 'live') => page.waitForSelector(`[data-live="${state}"]`);
const expect = (name, isTrue, what) => isTrue || note(name, what);
const percentOf = (page, payee) => page.locator(`tr[data-payee="${payee}"] [data-col="percent"]`).innerText();
const order = (page) => page.locator('tr[data-payee]').evaluateAll((rows) => rows.map((row) => row.dataset.payee));

await scene('signin', { as: null, path: '/boards/reps' }, async ({ page }) => {
  await page.waitForSelector('[data-user]');
});
await scene('signin-360-dark', { as: null, width: 360, height: 800, theme: 'dark' }, async ({ page }) => {
  await page.waitForSelector('[data-user]');
});
await scene('signin-keys', { as: null, path: '/boards/credited' }, async ({ page }) => {
  await page.waitForSelector('[data-user]');
  await page.keyboard.type('jose');
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Enter');
  await live(page);
  expect('signin-keys', page.url().endsWith('/boards/credited'), 'sign-in does not come back to the address');
});
for (const theme of ['light', 'dark']) {
  await scene(`board-${theme}`, { theme }, async ({ page }) => {
    await live(page);
    await sleep(700);
    expect(`board-${theme}`, (await page.evaluate(() => window.shift)) < 0.02, `layout shifts ${await page.evaluate(() => window.shift)}`);
  });
  await scene(`board-360-${theme}`, { theme, width: 360, height: 800, touch: true, scale: 2 }, async ({ page }) => {
    await live(page);
    await sleep(300);
  });
  await scene(`person-${theme}`, { theme, path: '/people/282', height: 900 }, ({ page }) => live(page));
  await scene(`edges-${theme}`, { theme, path: '/boards/edges', height: 760 }, ({ page }) => live(page));
}
await scene('edges-360', { path: '/boards/edges', width: 360, height: 1300 }, ({ page }) => live(page));
await scene('board-768', { width: 768, height: 1000 }, ({ page }) => live(page));
await scene('board-1024', { width: 1024, height: 800 }, ({ page }) => live(page));
await scene('board-zoom-200', { width: 640, height: 500, scale: 2 }, ({ page }) => live(page));
await scene('board-zoom-400', { width: 320, height: 256, scale: 2 }, ({ page }) => live(page));
await scene('board-tv', { width: 1920, height: 1080, as: 'admin-1', theme: 'dark' }, ({ page }) => live(page));
await scene('board-amount', { path: '/boards/credited' }, ({ page }) => live(page));
await scene('board-one', { path: '/boards/one', height: 500 }, ({ page }) => live(page));
await scene('board-start', { path: '/boards/start', height: 700 }, ({ page }) => live(page));
await scene('board-empty', { path: '/boards/empty', height: 600 }, ({ page }) => live(page));
await scene('board-refused', { path: '/boards/nope', height: 500 }, ({ page }) => live(page, 'refused'));
await scene('person-viewed', { as: 'manager-274', path: '/people/283', height: 900 }, ({ page }) => live(page));
await scene('person-360', { path: '/people/282', width: 360, height: 1500 }, ({ page }) => live(page));
await scene('person-no-quota', { as: 'admin-1', path: '/people/905', height: 900 }, ({ page }) => live(page));
await scene('person-negative', { as: 'admin-1', path: '/people/906', height: 900 }, ({ page }) => live(page));
await scene('person-far-over', { as: 'admin-1', path: '/people/904', height: 900 }, ({ page }) => live(page));

await scene('count-up', {}, async ({ page, mock }) => {
  await live(page);
  const before = await percentOf(page, '286');
  await page.evaluate(() => (window.shift = 0));
  await page.evaluate(() => {
    const cell = document.querySelector('tr[data-payee="286"] [data-col="amount"]');
    window.seen = [];
    new MutationObserver(() => window.seen.push([performance.now(), cell.textContent])).observe(cell, { characterData: true, subtree: true });
  });
  mock.sell('reps', '286', '26134.50');
  await sleep(1_200);
  const seen = await page.evaluate(() => window.seen);
  const took = seen.at(-1)[0] - seen[0][0];
  expect('count-up', took <= 620, `counting took ${took} ms`);
  const after = (await percentOf(page, '286')).replace(/\s/g, '');
  expect('count-up', before.replace(/\s/g, '') === '84.0%' && after === '90.5%', `${before} became ${after}`);
  expect('count-up', seen.length > 5, `the number jumped: ${seen}`);
  expect('count-up', (await order(page))[3] === '286', 'the row did not move');
  expect('count-up', (await page.evaluate(() => window.shift)) < 0.001, `shifts ${await page.evaluate(() => window.shift)}`);
});
await scene('moving', {}, async ({ page, mock }) => {
  await live(page);
  mock.sell('reps', '286', '46134.50');
  await sleep(120);
});
await scene('reduced-motion', { motion: 'reduce' }, async ({ page, mock }) => {
  await live(page);
  mock.sell('reps', '286', '26134.50');
  await page.waitForFunction(() => document.querySelector('tr[data-payee="286"] [data-col="percent"]').textContent.includes('90.5'), undefined, { timeout: 250 });
  const moving = await page.evaluate(() => document.getAnimations().filter((one) => one.effect.getTiming().duration > 0).length);
  expect('reduced-motion', moving === 0, `${moving} animations run`);
});
await scene('held', {}, async ({ page, mock }) => {
  await live(page);
  const before = (await order(page)).join();
  await page.hover('tr[data-payee="279"]');
  mock.sell('reps', '286', '66134.50');
  mock.sell('reps', '281', '96134.50');
  await sleep(900);
  expect('held', (await order(page)).join() === before, 'rows moved under the pointer');
  expect('held', (await percentOf(page, '286')).startsWith('100.5'), 'the numbers did not go on');
  expect('held', /Show 2 moves/.test(await page.locator('[data-action="show-moves"]').innerText()), 'does not say 2 moves');
});
await scene('held-360', { width: 360, height: 800, touch: true }, async ({ page, mock }) => {
  await live(page);
  await page.mouse.move(180, 500);
  mock.sell('reps', '286', '66134.50');
  await page.waitForSelector('[data-action="show-moves"]');
});
await scene('held-then-free', {}, async ({ page, mock }) => {
  await live(page);
  await page.hover('tr[data-payee="279"]');
  mock.sell('reps', '286', '66134.50');
  await page.mouse.move(5, 5);
  await sleep(2_000);
  expect('held-then-free', (await order(page))[1] !== '286', 'moved before 3 s');
  await sleep(1_700);
  expect('held-then-free', (await order(page))[1] === '286', 'did not move after 3 s');
});
await scene('show-moves', {}, async ({ page, mock }) => {
  await live(page);
  await page.hover('tr[data-payee="279"]');
  mock.sell('reps', '286', '66134.50');
  await page.click('[data-action="show-moves"]');
  await sleep(600);
  expect('show-moves', (await order(page))[1] === '286', 'the button does not show the moves');
});
await scene('paused', {}, async ({ page, mock }) => {
  await live(page);
  await page.click('[data-action="pause"]');
  const before = await percentOf(page, '286');
  for (let n = 0; n < 3; n += 1) mock.sell('reps', '286', '6134.50');
  await page.waitForSelector('[data-waiting="3"]');
  expect('paused', (await percentOf(page, '286')) === before, 'a number changed while paused');
  await live(page, 'paused');
});
await scene('resumed', {}, async ({ page, mock }) => {
  await live(page);
  await page.click('[data-action="pause"]');
  mock.sell('reps', '286', '66134.50');
  await page.waitForSelector('[data-waiting="1"]');
  await page.click('[data-action="resume"]');
  await sleep(50);
  expect('resumed', (await percentOf(page, '286')).startsWith('100.5'), 'what waited is not shown at once');
});
for (const [name, options] of [['stale', {}], ['stale-dark', { theme: 'dark' }], ['stale-360', { width: 360, height: 800 }], ['stale-person', { path: '/people/282', height: 900 }]]) {
  await scene(name, options, async ({ page, mock }) => {
    await live(page);
    mock.isAway = true;
    mock.drop();
    await live(page, 'stale');
    await sleep(2_600);
    expect(name, /numbers as of\s+\d\d:\d\d:\d\d/i.test(await page.locator('[data-banner]').innerText()), 'no "numbers as of"');
  });
}
await scene('silence', {}, async ({ page, mock }) => {
  await live(page);
  mock.isSilent = true;
  const start = Date.now();
  await live(page, 'stale');
  expect('silence', Date.now() - start < 5_600, `stale only after ${Date.now() - start} ms`);
});
await scene('back-again', {}, async ({ page, mock }) => {
  await live(page);
  mock.isAway = true;
  mock.drop();
  await live(page, 'stale');
  mock.company.sell('reps', '286', '66134.50');
  mock.isAway = false;
  await live(page);
  expect('back-again', (await percentOf(page, '286')).startsWith('100.5'), 'the snapshot counted up or did not come');
});
await scene('older-version', {}, async ({ page, mock }) => {
  await live(page);
  mock.sell('reps', '286', '66134.50');
  await sleep(800);
  mock.company.version -= 5;
  mock.company.boards.reps.people.find((p) => p.payee_id === '286').amount = 0n;
  mock.publish();
  await sleep(300);
  expect('older-version', (await percentOf(page, '286')).startsWith('100.5'), 'an older version was shown');
});
await scene('expired', {}, async ({ page, mock }) => {
  await live(page);
  mock.drop(4403);
  await page.waitForSelector('#signin');
  await page.waitForSelector('[data-user]');
});
await scene('clock-540', {}, async ({ page, mock }) => {
  await live(page);
  mock.company.setRate('540');
  await page.waitForSelector('[data-speed]:has-text("×540")');
  const [a] = await page.locator('[data-clock]').allInnerTexts();
  await sleep(1_000);
  expect('clock-540', a !== (await page.locator('[data-clock]').innerText()), 'the clock stands');
});
await scene('clock-paused', { height: 500 }, async ({ page, mock }) => {
  await live(page);
  mock.company.setRate('0');
  await page.waitForSelector('[data-speed]:has-text("paused")');
});
await scene('keyboard', {}, async ({ page }) => {
  await live(page);
  await page.keyboard.press('Tab');
  expect('keyboard', (await page.evaluate(() => document.activeElement.textContent)) === 'Skip to content', 'no skip link first');
  await page.keyboard.press('j');
  await page.keyboard.press('j');
  await page.keyboard.press('j');
  await page.keyboard.press('k');
  expect('keyboard', (await page.evaluate(() => document.activeElement.closest('tr')?.dataset.payee)) === '288', 'j and k do not walk the rows');
});
await scene('enter-opens', {}, async ({ page }) => {
  await live(page);
  await page.keyboard.press('j');
  await page.keyboard.press('Enter');
  await page.waitForSelector('[data-headline]');
  expect('enter-opens', page.url().endsWith('/people/283'), 'Enter does not open the person');
  await page.goBack();
  await page.waitForSelector('tr[data-payee]');
});
await scene('theme', {}, async ({ page }) => {
  await live(page);
  await page.click('[aria-label="Switch to dark colours"]');
  await page.reload();
  await live(page);
  const ground = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  expect('theme', ground === 'rgb(11, 13, 17)', `the theme is not remembered: ${ground}`);
});
await scene('announce', {}, async ({ page, mock }) => {
  await live(page);
  mock.sell('reps', '282', '26134.50');
  await sleep(600);
  const said = await page.locator('[data-announcer]').innerText();
  expect('announce', /^Rank 4, up 1\.$/.test(said), `it said "${said}"`);
  mock.sell('reps', '282', '86134.50');
  await sleep(600);
  expect('announce', (await page.locator('[data-announcer]').innerText()) === said, 'it spoke twice in 30 s');
});

await browser.close();
console.log(findings.length ? `${findings.length} findings` : `nothing found; pictures in ${OUT}`);
process.exit(findings.length ? 1 : 0);
