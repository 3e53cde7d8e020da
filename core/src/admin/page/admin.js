'use strict';
// The admin page. What it shows it asks for at api/…, once a second; nothing is kept here. Paths are
// relative: a proxy may have the page in a folder of its own. All text that comes from the network is
// put in as text, never as HTML.

const $ = selector => document.querySelector(selector);
const SECOND = 1000;
const ROWS = 500; // of a table; more are found by the filter
const CHARTS = 60;

function el(tag, attributes = {}, ...children) {
  const svg = ['svg', 'line', 'path', 'rect', 'title'].includes(tag);
  const node = svg ? document.createElementNS('http://www.w3.org/2000/svg', tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith('on')) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? '' : value);
  }
  node.append(...children.flat(Infinity).filter(child => child !== null && child !== undefined).map(asNode));
  return node;
}
const asNode = child => child instanceof Node ? child : document.createTextNode(child);

// ---- asking ----

async function ask(path, body) {
  const post = body !== undefined;
  const answer = await fetch(path, {
    method: post ? 'POST' : 'GET',
    headers: post ? { 'X-Tmr-Admin': '1' } : {},
    body: post ? (typeof body === 'string' ? body : JSON.stringify(body)) : undefined,
    cache: 'no-store', redirect: 'error', signal: AbortSignal.timeout(8 * SECOND),
  });
  const text = await answer.text();
  const json = (answer.headers.get('Content-Type') || '').startsWith('application/json');
  return { ok: answer.ok, status: answer.status, text: text.trim(), value: json ? JSON.parse(text) : null };
}

let session = { rights: null, operator: false, reader: false, may_read: true };
let status = null;
let heard = Date.now();
let pause = SECOND;

async function learnSession() {
  try {
    const answer = await ask('api/session');
    if (answer.ok) { session = answer.value; showSession(); if (status) showStatus(true); }
  } catch { /* the silence is shown already */ }
}

async function poll() {
  try {
    const answer = await ask('api/status');
    heard = Date.now();
    pause = SECOND;
    if (answer.ok) { status = answer.value; showStatus(false); } else if (answer.status === 401) locked();
    else say('bad', 'This server refuses to say how it is.', [answer.text]);
  } catch {
    pause = Math.min(pause * 1.5, 5 * SECOND);
  }
  setTimeout(poll, document.hidden ? 5 * SECOND : pause);
}

// What changes less often, each with its own pause; asked for only while somebody looks.
function often(seconds, path, show) {
  const turn = async () => {
    try {
      if (!document.hidden && session.may_read && status) {
        const answer = await ask(typeof path === 'function' ? path() : path);
        show(answer);
      }
    } catch { /* the silence is shown already */ }
    clearTimeout(turn.timer);
    turn.timer = setTimeout(turn, seconds * SECOND);
  };
  turn();
  return turn;
}

setInterval(() => {
  const silent = Math.floor((Date.now() - heard) / SECOND);
  const shown = silent >= 3 && !document.hidden;
  document.body.classList.toggle('stale', shown);
  $('#silence').hidden = !shown;
  if (shown) $('#silence').textContent = `No answer from this server for ${silent} s. What is shown below is what it said last.`;
}, SECOND / 2);

// ---- showing ----

// Replaces what is in a place, if it has changed; the focus stays where it was.
const shown = new Map();
function put(place, state, make) {
  const key = JSON.stringify(state);
  if (shown.get(place) === key) return;
  shown.set(place, key);
  const focused = place.contains(document.activeElement) ? document.activeElement.dataset.key : null;
  place.replaceChildren(...[make()].flat().filter(Boolean));
  if (focused) place.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus();
}

function section(id, visible) {
  $(`#${id}`).hidden = !visible;
  const link = $(`#nav [href="#${id}"]`);
  if (link) link.hidden = !visible;
}

function table(columns, rows, cards = true) {
  return el('table', { class: cards ? 'cards' : null },
    el('thead', {}, el('tr', {}, columns.map(([name, , kind]) => el('th', { scope: 'col', class: kind }, name)))),
    el('tbody', {}, rows.map(row => el('tr', {}, columns.map(([name, of, kind]) => {
      const value = of(row);
      return el('td', { class: kind, 'data-label': name }, el('span', {}, value === '' || value === null || value === undefined ? '–' : value));
    })))));
}

function ago(time) {
  const seconds = Math.max(0, Math.round((Date.now() - Date.parse(time)) / SECOND));
  if (Number.isNaN(seconds)) return time;
  const [unit, size] = seconds < 90 ? ['s', 1] : seconds < 5400 ? ['min', 60] : seconds < 129600 ? ['h', 3600] : ['days', 86400];
  return `${Math.round(seconds / size)} ${unit}`;
}
const clock = time => {
  const date = new Date(time);
  if (Number.isNaN(date.getTime())) return time;
  const two = number => String(number).padStart(2, '0');
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
};
const when = time => el('time', { datetime: time, title: time }, clock(time));
const code = row => `${row.firm_code}:${row.product_code}`;
const plural = (count, one, many) => `${count} ${count === 1 ? one : many}`;
const mark = { good: '✓ ', warn: '! ', bad: '✕ ' };

function say(level, sentence, more = []) {
  const place = $('#verdict');
  put(place, [level, sentence, more], () => {
    place.className = `verdict ${level}`;
    return [el('p', {}, mark[level] + sentence), more.length ? el('ul', {}, more.map(line => el('li', {}, line))) : null];
  });
}

function locked() {
  status = null;
  for (const id of ['licences', 'seats', 'usage', 'clients', 'events', 'config', 'audit']) section(id, false);
  $('#machines').replaceChildren();
  shown.clear();
  say('warn', 'Sign in to see this server.', [session.trouble ? `${session.trouble}.` : 'It has a password for readers, so only who is signed in may look.']);
}

// The verdict of the server, drawn as it is told: the page judges nothing on its own, and whatever has a
// colour has that of the worst that is told about it.
const SEVERITY = { red: 'bad', yellow: 'warn', info: 'good' };
function verdict(told) {
  return (told.verdict ?? []).map(one => ({ level: SEVERITY[one.severity] ?? 'warn', about: one.about, text: `${one.text} ${one.what_to_do}` }));
}
const worst = found => found.some(one => one.level === 'bad') ? 'bad' : found.some(one => one.level === 'warn') ? 'warn' : 'good';
const levelOf = (told, about) => worst(verdict(told).filter(one => one.about === about));

const HEADLINES = {
  active: { good: 'All is well. This front leads and serves clients.', warn: 'Clients are served, but not all is as it should be.', bad: 'Something is not served.' },
  standby: { good: 'All is well. This front stands by; the other one leads.', warn: 'This front stands by, and not all is as it should be.', bad: 'Something is not served.' },
  starting: { good: 'This front is about to lead.', warn: 'This front is about to lead.', bad: 'This front cannot serve yet.' },
};

const STANDING = {
  'served': 'served', 'two-parts': '2 of 3 parts', 'all-in-use': 'all in use', 'no-units': 'no units left', 'not-active-yet': 'not active yet',
  'expired': 'expired', 'too-few-parts': 'too few parts', 'too-few-backends': 'too few backends',
};

function machine(kind, name, address, state, level, facts, trouble) {
  return el('div', { class: `machine ${level}`, role: 'group', 'aria-label': `${kind} ${name}, ${state}` },
    el('span', { class: 'pill' }, `${mark[level]}${state}`), el('h3', {}, name), el('div', { class: 'mono' }, address.replace(/:\d+$/, ''), el('wbr'), address.match(/:\d+$/)?.[0]),
    el('dl', {}, facts.filter(([, value]) => value !== null && value !== undefined).map(([key, value]) => [el('dt', {}, key), el('dd', {}, String(value))])),
    trouble ? el('p', { class: 'trouble' }, trouble) : null);
}

function picture(front) {
  const twin = front.twin;
  const lead = front.role === 'active' ? 0 : twin?.role === 'active' ? 1 : -1;
  const seats = front.allocations.filter(held => held.kind === 'licence').length;
  const served = ['nobody leads', 'this front', 'the other front'][lead + 1];
  const address = front.virtual_ip === null || front.virtual_ip === undefined ? '' : front.virtual_ip ? ', and the virtual address is here' : ', and the virtual address is elsewhere';
  const line = el('p', { class: 'clients-line' }, `Clients hold ${plural(seats, 'seat', 'seats')}; served by: ${served}${address}.`);
  const fronts = [machine('front', 'This front', location.host, front.role, levelOf(front, 'front'),
    [['epoch', front.epoch], ['virtual address', front.virtual_ip === null ? null : front.virtual_ip ? 'here' : 'elsewhere'], ['clients of the other', twin?.passed_from || null]])];
  if (twin) {
    const level = levelOf(front, 'twin');
    const said = !twin.connected ? 'not connected' : twin.synced ? 'in sync' : twin.silent_seconds ? `silent for ${twin.silent_seconds} s` : `${twin.lag} ${twin.behind_seconds ? 'behind' : 'on their way'}`;
    fronts.push(el('div', { class: `between ${level}` }, said, el('i'), `lag ${twin.lag}`));
    const state = !twin.connected ? 'not connected' : twin.role ?? 'unknown';
    fronts.push(machine('front', 'The other front', twin.address, state, level,
      [['epoch', twin.epoch], ['version', twin.version !== front.version ? twin.version : null]], twin.connected ? null : twin.trouble));
  }
  const wires = el('svg', { class: 'wires', viewBox: '0 0 600 60', preserveAspectRatio: 'none', 'aria-hidden': 'true' },
    (twin ? [140, 460] : [300]).map((x, one) => front.backends.map((backend, two) =>
      el('line', { x1: x, y1: 2, x2: 100 + 200 * two, y2: 58, class: one === 0 ? levelOf(front, backend.address) : null }))));
  const backends = front.backends.map((backend, index) => machine('backend', `Backend ${index + 1}`, backend.address, backend.state, levelOf(front, backend.address),
    [['container', backend.serial], ['epoch', backend.epoch || null], ['seats', backend.handles]], backend.trouble));
  return [line, el('div', { class: 'row fronts' }, fronts), wires, el('div', { class: 'row backends' }, backends)];
}

function licences(front) {
  const container = front.containers.map(one => el('p', {}, 'Virtual container ', el('b', {}, one.serial),
    el('span', { class: 'soft' }, `${one.cm_act_id ? `, CmActId ${one.cm_act_id}` : ''}, made of ${one.parts.join(', ') || 'no part yet'}`)));
  const meter = row => {
    const share = row.quantity ? Math.min(100, Math.round(100 * row.used / row.quantity)) : 0;
    const bar = el('span');
    bar.style.width = `${share}%`;
    return el('span', {}, `${row.used} of ${row.quantity}`, el('span', { class: `meter${row.free === 0 ? ' full' : ''}`, 'aria-hidden': 'true' }, bar));
  };
  const level = row => SEVERITY[row.severity] ?? 'good';
  const parts = row => el('span', {}, `${row.matching} of 3`,
    row.differs.map(one => el('p', { class: 'differs' }, `${one.backend}: ${one.field} is ${one.value}, the others have ${one.expected}`)));
  return [...container, table([
    ['Licence', row => el('b', {}, code(row))], ['TMR-Id', row => row.tmr_id, 'n'],
    ['State', row => el('span', { class: level(row) }, `${mark[level(row)]}${STANDING[row.state] ?? row.state}`)], ['Seats in use', meter],
    ['Free', row => row.free, 'n'], ['Parts that agree', parts],
    ['Units left', row => row.units_left, 'n'],
    ['Expires', row => row.expires ? when(row.expires) : 'never'],
  ], front.licenses)];
}

function seats(front) {
  const wanted = $('#seats input').value.trim().toLowerCase();
  const text = row => `${code(row)} ${row.user} ${row.host} ${row.client} ${row.handle ?? row.id} ${row.mode} ${row.kind}`.toLowerCase();
  const all = front.allocations.filter(row => text(row).includes(wanted));
  const operator = session.rights === 'operator' && front.role === 'active';
  const columns = [
    ['Licence', row => row.kind === 'licence' ? el('span', {}, el('b', {}, code(row)), row.gone ? el('span', { class: 'warn' }, ` ${mark.warn}gone`) : null) : row.kind], ['Mode', row => row.mode],
    ['User', row => row.user], ['Host', row => row.host], ['Address', row => el('span', { class: 'mono' }, row.client)],
    ['Held for', row => el('time', { datetime: row.since, title: clock(row.since) }, ago(row.since))],
    ['Handle', row => row.handle ?? row.id, 'n'], ['On disk', row => `${row.backends} of 3`, 'n'],
  ];
  if (operator) columns.push(['', row => el('button', { type: 'button', 'data-key': `back-${row.handle}`, 'aria-label': `Take back ${row.handle}`, onclick: () => takeBack(row) }, 'Take back')]);
  if (operator) columns.push(['', row => el('button', { type: 'button', class: 'all', 'data-key': `all-${row.handle}`, 'aria-label': `Take back all of ${row.client}`, onclick: () => takeAllBack(row.client) }, 'All of address')]);
  const more = all.length - ROWS + (wanted ? 0 : front.handles - front.allocations.length);
  const why = front.role !== 'active' ? 'A seat is taken back at the front that leads.' : operator ? null : 'Who is signed in as operator can take a seat back.';
  return [all.length ? table(columns, all.slice(0, ROWS)) : el('p', { class: 'soft' }, wanted ? 'Nothing matches.' : 'Nobody holds a seat.'),
    more > 0 ? el('p', { class: 'soft' }, `… and ${more} more: narrow them down above.`) : null,
    all.length && why ? el('p', { class: 'soft' }, why) : null];
}

async function takeBack(row) {
  const who = row.user ? `${row.user} at ${row.host || row.client}` : row.host || row.client;
  const sure = await confirmed(`Take the seat back from ${who}?`, `Licence ${code(row)}, handle ${row.handle}, held for ${ago(row.since)}. The seat is free at once; the program that holds it is refused at its next call with it.`, 'Take back');
  if (!sure) return;
  const answer = await change('api/release', { handle: row.handle });
  if (answer) toast(answer.text);
}

async function takeAllBack(address) {
  const sure = await confirmed(`Take everything back from ${address}?`, `Every handle that ${address} holds, those without a seat too. The seats are free at once; a program that holds one is refused at its next call with it.`, 'Take all back');
  if (!sure) return;
  const answer = await change('api/release', { address });
  if (answer) toast(answer.text);
}

function clients(front) {
  return table([
    ['Address', row => el('span', { class: 'mono' }, row.address)], ['Host', row => row.host], ['User', row => row.user],
    ['Runtime', row => row.too_old ? el('span', { class: 'bad' }, `✕ ${row.runtime_version ?? 'not said'}: too old`) : row.runtime_version],
    ['Since', row => el('time', { datetime: row.since, title: clock(row.since) }, `${ago(row.since)}${row.connected === false ? ' (gone)' : ''}`)], ['Calls', row => row.calls, 'n'],
  ], front.clients.slice(0, ROWS));
}

function backend(one) {
  const held = one.containers.flatMap(container => container.licenses.map(licence => ({ ...licence, serial: container.serial, act: container.cm_act_id })));
  return [el('div', { class: 'row backends' }, machine('backend', 'This backend', location.host, 'up', worst(verdict(one)),
    [['promised epoch', one.promised_epoch], ['group', one.group], ['seats', one.handles], ['log', `committed ${one.log.committed}, last ${one.log.last}`]])),
    el('p'), table([['Container', row => el('b', {}, row.serial)], ['CmActId', row => row.act || null, 'n'], ['Licence', code], ['TMR-Id', row => row.tmr_id || 'ordinary', 'n'], ['Seats', row => row.quantity, 'n']], held)];
}

function showStatus(anew) {
  if (anew) shown.clear();
  const role = $('#role');
  const level = status.role === 'backend' ? worst(verdict(status)) : levelOf(status, 'front');
  role.className = `pill ${status.role === 'standby' && level === 'good' ? '' : level}`;
  role.textContent = status.role;
  document.title = `${status.role} – tmrd ${location.hostname}`;
  $('#where').textContent = location.host;
  $('#about').textContent = `tmrd ${status.version}, ${status.runtime} runtime`;
  if (status.role === 'backend') {
    const found = verdict(status);
    const head = { good: 'This backend works. Who holds what is shown by the fronts.', warn: 'This backend works, and not all is as it should be.', bad: 'This backend does not do its part.' };
    say(level, head[level], found.map(one => one.text));
    put($('#machines'), status, () => backend(status));
    return;
  }
  const found = verdict(status);
  const lines = found.map(one => one.text);
  if (status.role === 'standby' && status.twin) lines.push(other(status.twin));
  say(worst(found), HEADLINES[status.role][worst(found)], lines);
  put($('#machines'), [status.role, status.epoch, status.twin, status.backends, status.virtual_ip, status.allocations.length, status.verdict], () => picture(status));
  section('licences', true);
  put($('#licences > div'), [status.licenses, status.containers], () => licences(status));
  section('seats', true);
  $('#seats .count').textContent = status.allocations.length ? `(${status.allocations.length} held)` : '';
  put($('#seats > div'), [status.allocations, status.role, session.rights, $('#seats input').value, Math.floor(Date.now() / 10000)], () => seats(status));
  section('clients', Array.isArray(status.clients) && status.clients.length > 0);
  if (status.clients) {
    $('#clients .count').textContent = `(${status.clients.length})`;
    put($('#clients > div'), [status.clients, Math.floor(Date.now() / 10000)], () => clients(status));
  }
}

// Where the page of the other front most likely is: at its address, and the port of this one.
function other(twin) {
  const host = twin.address.replace(/:\d+$/, '');
  if (host.replace(/[[\]]/g, '') === location.hostname.replace(/[[\]]/g, '')) return 'Changes to seats are made at the front that leads.';
  const url = `${location.protocol}//${host}${location.port ? `:${location.port}` : ''}/`;
  return el('span', {}, 'Changes to seats are made at the front that leads: ', el('a', { href: url }, url));
}

function showEvents(answer) {
  const list = answer.ok ? answer.value : [];
  section('events', list.length > 0);
  put($('#events > div'), list, () => el('ol', { class: 'events', tabindex: 0, 'aria-label': 'Events, the latest first' },
    list.map(event => el('li', {}, when(event.time), el('span', { class: 'soft' }, event.topic), el('span', {}, event.text)))));
}

function showAudit(answer) {
  const list = answer.ok ? answer.value : [];
  section('audit', list.length > 0);
  put($('#audit > div'), list, () => table([
    ['When', row => when(row.time)], ['Who', row => row.who], ['From', row => el('span', { class: 'mono' }, row.from)],
    ['What', row => row.what], ['Result', row => el('span', { class: row.done ? 'good' : 'bad' }, `${row.done ? '✓' : '✕'} ${row.result}`)],
  ], list));
}

// ---- usage ----

let span = 'hour';
function showUsage(answer) {
  const there = answer.ok || answer.status === 404;
  section('usage', there);
  if (!there) return;
  put($('#usage .choice'), span, () => ['hour', 'day', 'month'].map(name =>
    el('button', { type: 'button', 'data-key': name, 'aria-pressed': String(name === span), onclick: () => { span = name; usage(); } }, name)));
  put($('#usage > div:last-child'), answer.ok ? [answer.value, status.licenses] : answer.status, () => {
    if (!answer.ok) return el('p', { class: 'soft' }, 'No history of usage is kept here.');
    if (!answer.value.licenses.length) return el('p', { class: 'soft' }, `Nothing was used in this ${span}.`);
    return el('div', { class: 'charts' }, answer.value.licenses.slice(0, CHARTS).map(row => chart(row, answer.value)));
  });
}

function chart(row, { from, step_seconds: step }) {
  const quantity = status.licenses.filter(one => code(one) === code(row) && (row.tmr_id ?? one.tmr_id) === one.tmr_id).reduce((sum, one) => sum + one.quantity, 0);
  const peak = Math.max(0, ...row.max_used);
  const denied = row.denied.reduce((sum, count) => sum + count, 0);
  const top = Math.max(peak, quantity, 1) * 1.15;
  const steps = row.max_used.length;
  const y = value => 100 - 100 * value / top;
  let path = 'M0 100';
  row.max_used.forEach((used, at) => { path += `L${at} ${y(used)}L${at + 1} ${y(used)}`; });
  const most = Math.max(1, ...row.denied);
  const begin = Date.parse(from);
  const said = `${code(row)}: at most ${peak}${quantity ? ` of ${quantity}` : ''} in use, ${plural(denied, 'request', 'requests')} denied`;
  return el('figure', {},
    el('figcaption', {}, el('b', {}, code(row)), ` at most ${peak}${quantity ? ` of ${quantity}` : ''} in use, `, el('span', { class: denied ? 'bad' : 'soft' }, `${denied} denied`)),
    el('svg', { class: 'chart', viewBox: `0 0 ${Math.max(1, steps)} 100`, preserveAspectRatio: 'none', role: 'img', 'aria-label': said },
      el('path', { class: 'used', d: `${path}L${steps} 100Z` }),
      quantity ? el('line', { class: 'most', x1: 0, x2: steps, y1: y(quantity), y2: y(quantity) }) : null,
      row.denied.map((count, at) => count ? el('rect', { class: 'denied', x: at + .1, width: .8, y: 0, height: 4 + 16 * count / most }, el('title', {}, `${count} denied`)) : null)),
    el('div', { class: 'axis' }, el('span', {}, clock(begin)), el('span', {}, clock(begin + steps * step * SECOND))));
}

// ---- configuration ----

const editor = { area: $('#config textarea'), numbers: $('#config pre'), said: $('#config-said'), saved: null };
async function loadConfig() {
  const answer = await ask('api/config').catch(() => null);
  section('config', Boolean(answer?.ok) && status?.role !== 'backend');
  if (!answer?.ok) return;
  const text = typeof answer.value?.text === 'string' ? answer.value.text : answer.text;
  const untouched = editor.saved === null || editor.area.value === editor.saved;
  if (untouched && text !== editor.area.value) { editor.area.value = text; number(); }
  editor.saved = text;
  const operator = session.rights === 'operator';
  editor.area.readOnly = !operator;
  for (const button of document.querySelectorAll('#config button')) button.hidden = !operator;
}
function number(wrong = 0) {
  const lines = editor.area.value.split('\n').length;
  editor.numbers.replaceChildren(...Array.from({ length: lines }, (_, at) => [el(at + 1 === wrong ? 'b' : 'span', {}, String(at + 1)), '\n']).flat());
  editor.numbers.scrollTop = editor.area.scrollTop;
}
function pointAt(line, column) {
  const before = editor.area.value.split('\n').slice(0, line - 1).join('\n').length + (line > 1 ? 1 : 0);
  number(line);
  editor.area.focus();
  editor.area.setSelectionRange(before + column - 1, before + (editor.area.value.split('\n')[line - 1] ?? '').length);
  editor.area.scrollTop = Math.max(0, (line - 6) * parseFloat(getComputedStyle(editor.area).lineHeight));
}
editor.area.addEventListener('input', () => { number(); editor.said.textContent = ''; });
editor.area.addEventListener('scroll', () => { editor.numbers.scrollTop = editor.area.scrollTop; });
const [save, undo] = document.querySelectorAll('#config .actions button');
save.addEventListener('click', async () => {
  save.disabled = true;
  editor.said.className = '';
  editor.said.textContent = 'Checking…';
  const answer = await change('api/config', editor.area.value, true);
  save.disabled = false;
  if (!answer) { editor.said.textContent = ''; return; }
  if (answer.ok) {
    const later = answer.value?.after_restart ?? [];
    editor.saved = editor.area.value;
    editor.said.className = later.length ? 'warn' : 'good';
    editor.said.textContent = later.length ? `! Stored, and in force but for ${later.join(', ')}: that takes a restart.` : '✓ Stored, and in force. The other front follows where both must be alike.';
    loadConfig();
    return;
  }
  const error = answer.value ?? {};
  editor.said.className = 'bad';
  editor.said.textContent = error.message ? `✕ Nothing was changed. ${error.line ? `Line ${error.line}, column ${error.column}, ` : ''}${error.key ? `${error.key}: ` : ''}${error.message}` : `✕ Nothing was changed: ${answer.text}`;
  if (error.line) pointAt(error.line, error.column ?? 1);
});
undo.addEventListener('click', () => { editor.area.value = editor.saved ?? ''; number(); editor.said.textContent = ''; });

// ---- signing in, and changes ----

function showSession() {
  $('#who').textContent = session.rights ? `Signed in: ${session.rights}` : '';
  $('#sign').textContent = session.rights ? 'Sign out' : 'Sign in';
  $('#sign').hidden = !session.password_file;
}

$('#sign').addEventListener('click', async () => {
  if (session.rights) {
    await ask('api/sign-out', {}).catch(() => null);
    await learnSession();
    loadConfig();
    return;
  }
  askPassword();
});

function askPassword() {
  const dialog = $('#ask-password');
  const can = session.operator || session.reader;
  dialog.querySelector('.said').textContent = '';
  dialog.querySelector('.hint').replaceChildren(...session.trouble ? [`${session.trouble}.`] : can ? [] : ['Nobody can sign in here until a password is set. On this machine: ', el('code', {}, `tmrd password ${session.password_file}`)]);
  dialog.querySelector('label').hidden = !can;
  dialog.querySelector('.main').hidden = !can;
  dialog.showModal();
  (can ? dialog.querySelector('[name=password]') : dialog.querySelector('[value=no]')).focus();
}
$('#ask-password [value=no]').addEventListener('click', () => $('#ask-password').close());
$('#ask-password form').addEventListener('submit', async event => {
  event.preventDefault();
  const dialog = $('#ask-password');
  const field = dialog.querySelector('[name=password]');
  const said = dialog.querySelector('.said');
  const button = dialog.querySelector('.main');
  said.textContent = '';
  button.disabled = true;
  try {
    const answer = await ask('api/session', { password: field.value });
    if (answer.ok) {
      dialog.close();
      await learnSession();
      loadConfig();
      audit();
    } else said.textContent = answer.text;
  } catch { said.textContent = 'This server does not answer.'; }
  button.disabled = false;
  field.value = '';
  if (dialog.open) field.focus();
});

async function change(path, body, wrongIsFine = false) {
  try {
    const answer = await ask(path, body);
    setTimeout(audit, SECOND / 5);
    if (answer.status === 401) { await learnSession(); askPassword(); return null; }
    if (!answer.ok && !(wrongIsFine && answer.value)) { toast(answer.text); return null; }
    return answer;
  } catch {
    toast('This server does not answer; nothing may have been changed.');
    return null;
  }
}

function confirmed(question, hint, yes) {
  const dialog = $('#ask-sure');
  dialog.querySelector('h2').textContent = question;
  dialog.querySelector('.hint').textContent = hint;
  dialog.querySelector('.main').textContent = yes;
  dialog.returnValue = '';
  dialog.showModal();
  return new Promise(resolve => dialog.addEventListener('close', () => resolve(dialog.returnValue === 'yes'), { once: true }));
}

function toast(text) {
  $('#toast').textContent = text;
  clearTimeout(toast.timer);
  toast.timer = setTimeout(() => { $('#toast').textContent = ''; }, 8 * SECOND);
}

// ---- the start ----

$('#nav').append(...[['machines', 'Machines'], ['licences', 'Licences'], ['seats', 'Seats'], ['usage', 'Usage'], ['clients', 'Clients'], ['events', 'Events'], ['config', 'Configuration'], ['audit', 'Changes']]
  .map(([id, name]) => el('a', { href: `#${id}`, hidden: id !== 'machines' }, name)));
$('#seats input').addEventListener('input', () => { if (status) showStatus(false); });

// Who sits there stays signed in; a page that is only left open does not.
let woke = Date.now();
for (const kind of ['pointerdown', 'keydown']) {
  document.addEventListener(kind, () => {
    if (Date.now() - woke > 60 * SECOND) { woke = Date.now(); learnSession(); }
  });
}

let audit = () => {};
let usage = () => {};
learnSession().then(async () => {
  await poll();
  often(3, 'api/events', showEvents);
  audit = often(10, 'api/audit', showAudit);
  usage = often(20, () => `api/usage?span=${span}`, showUsage);
  loadConfig();
});
