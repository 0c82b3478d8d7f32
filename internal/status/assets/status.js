'use strict';
// Requests status.json every few seconds and shows it. All text goes into the page as text, never as markup: the page's policy
// (trusted types) allows nothing else.
(() => {
  const EVERY = 3000, ANSWER_WITHIN = 5000;
  const SVG = 'http://www.w3.org/2000/svg';
  const SIDES = {sender: 'the senders', rtbeat: 'rtbeat', output: 'the output (Logstash, or the network to it)', nobody: 'nobody'};
  const PREFIXES = {answer: '', auth: 'credentials: ', tls: 'TLS: '};
  const at = (id) => document.getElementById(id);
  const unknown = '–';

  // Numbers as text.
  const known = (n) => typeof n === 'number';
  const whole = (n) => known(n) ? Math.round(n).toLocaleString('en') : unknown;
  const few = (n) => !known(n) ? unknown : n >= 100 || n === 0 ? whole(n) : n >= 10 ? n.toFixed(1) : n.toFixed(2);
  const bytes = (n) => {
    if (!known(n)) return unknown;
    const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
    let i = 0;
    while (n >= 1024 && i < units.length - 1) { n /= 1024; i++; }
    return (i === 0 || n >= 100 ? Math.round(n) : n.toFixed(1)) + ' ' + units[i];
  };
  const span = (s) => !known(s) ? unknown : s < 120 ? Math.floor(s) + ' s' : s < 7200 ? Math.floor(s / 60) + ' min'
    : s < 172800 ? Math.floor(s / 3600) + ' h' : Math.floor(s / 86400) + ' days';
  const latency = (s) => !known(s) ? unknown : s < 0.01 ? (s * 1000).toFixed(1) + ' ms' : s < 1 ? Math.round(s * 1000) + ' ms' : s.toFixed(1) + ' s';
  const clock = (time) => new Date(time).toLocaleTimeString([], {hour: '2-digit', minute: '2-digit', second: '2-digit', hour12: false});
  const ago = (time, now) => time ? span(Math.max(0, (new Date(now) - new Date(time)) / 1000)) + ' ago' : 'never';

  const text = (id, value) => { const e = at(id); if (e.textContent !== value) e.textContent = value; };
  const make = (name, value, kind) => {
    const e = document.createElement(name);
    if (value !== undefined) e.textContent = value;
    if (kind) e.className = kind;
    return e;
  };
  const fill = (id, children) => at(id).replaceChildren(...children);
  const withUnit = (id, value, unit) => fill(id, [document.createTextNode(value + ' '), make('small', unit)]);
  const rows = (id, pairs) => fill(id, pairs.filter(Boolean).map(([name, value, alert]) => {
    const row = make('div');
    row.append(make('dt', name), make('dd', value, alert ? 'alert' : ''));
    return row;
  }));

  function showVerdict(v, now) {
    at('verdict').className = v.level + ' ' + v.state;
    document.title = v.title + ' – rtbeat';
    text('title', v.title);
    text('since', clock(v.since));
    at('since').dateTime = v.since;
    text('age', span((new Date(now) - new Date(v.since)) / 1000));
    text('text', v.text);
    at('fault').hidden = v.fault === 'nobody';
    text('side', SIDES[v.fault] || v.fault);
    fill('advice', v.advice.map((line) => make('li', line)));
    fill('notes', v.notes.map((line) => make('li', line)));
  }

  // A plot has a line for each list: 180 points from left to right, with a gap where the value is not known.
  function plot(id, title, points, lists, top, area) {
    const svg = document.createElementNS(SVG, 'svg');
    svg.setAttribute('viewBox', '0 0 ' + (points - 1) + ' 100');
    svg.setAttribute('preserveAspectRatio', 'none');
    svg.setAttribute('role', 'img');
    svg.setAttribute('aria-label', title);
    lists.forEach((list, n) => {
      const offset = points - list.length;
      let line = '', below = '', start = -1;
      const end = (i) => {
        if (start < 0) return;
        if (i - 1 === start) line += 'h.01'; // one point alone is a dot
        if (area) below += 'L' + (offset + i - 1) + ' 100L' + (offset + start) + ' 100Z';
        start = -1;
      };
      list.forEach((value, i) => {
        if (!known(value)) { end(i); return; }
        const y = 97 - 94 * Math.min(1, top > 0 ? value / top : 0);
        const step = (start < 0 ? 'M' : 'L') + (offset + i) + ' ' + y.toFixed(1);
        line += step;
        below += step;
        if (start < 0) start = i;
      });
      end(list.length);
      const add = (d, kind) => {
        const path = document.createElementNS(SVG, 'path');
        path.setAttribute('d', d);
        path.setAttribute('class', kind);
        svg.append(path);
      };
      if (area && below) add(below, 'area');
      if (line) add(line, n === 0 ? 'a' : 'b');
    });
    fill(id, [svg]);
  }

  const most = (...lists) => Math.max(0, ...lists.flat().filter(known));

  function showFlow(s) {
    const h = s.history, minutes = Math.round(h.points * h.interval_seconds / 60);
    withUnit('in-rate', few(s.received.messages_per_second), 'events/s');
    withUnit('flight-events', whole(s.in_flight.events.value), 'events');
    withUnit('ack-rate', few(s.acked.events_per_second), 'events/s');
    const rate = most(h.messages_per_second, h.acked_per_second);
    text('top-rate', rate ? '≤ ' + few(rate) + '/s' : '');
    plot('plot-rate', 'events per second, at most ' + few(rate), h.points, [h.messages_per_second, h.acked_per_second], rate);
    const ack = most(h.p50_seconds, h.p99_seconds);
    text('p50', 'p50 ' + latency(s.acked.p50_seconds));
    text('p99', 'p99 ' + latency(s.acked.p99_seconds));
    text('top-ack', ack ? '≤ ' + latency(ack) : '');
    plot('plot-ack', 'time to acknowledge, at most ' + latency(ack), h.points, [h.p50_seconds, h.p99_seconds], ack);
    const held = most(h.in_flight_bytes);
    text('top-bytes', held ? '≤ ' + bytes(held) : '');
    plot('plot-bytes', 'bytes in flight, at most ' + bytes(held), h.points, [h.in_flight_bytes], held, true);
    text('span-from', minutes + ' min ago');
  }

  function bar(name, of, form) {
    const box = make('div', undefined, 'bar'), head = make('div');
    const limit = known(of.limit) && of.limit > 0;
    head.append(make('span', name), make('span', form(of.value) + (limit ? ' of ' + form(of.limit) : '')));
    box.append(head);
    if (limit && known(of.value)) {
      const meter = make('progress', undefined, of.value >= 0.75 * of.limit ? 'full' : '');
      meter.max = of.limit;
      meter.value = Math.min(of.value, of.limit);
      meter.setAttribute('aria-label', name);
      box.append(meter);
    }
    return box;
  }

  function showState(s) {
    fill('bars', [
      bar('bytes', s.in_flight.bytes, bytes), bar('events', s.in_flight.events, whole),
      bar('requests', s.in_flight.requests, whole), bar('connections', s.in_flight.connections, whole),
      bar('libbeat’s queue', s.queue.events, whole), bar('batches waiting for a worker', {value: s.queue.batches_waiting}, whole),
    ]);
    const d = s.durable;
    at('durable').hidden = !d;
    fill('disk-files', d ? [bar('files', d.file_bytes, bytes)] : []);
    rows('disk', d ? [
      ['not delivered', whole(d.batches) + ' batches, ' + bytes(d.bytes)],
      ['the oldest came in', d.oldest_seconds ? span(d.oldest_seconds) + ' ago' : d.oldest_seconds === 0 ? 'none' : unknown],
      ['stored', bytes(d.stored_bytes_per_second) + '/s'],
      ['delivered', bytes(d.delivered_bytes_per_second) + '/s'],
      known(d.full_in_seconds) && ['at this rate full in', span(d.full_in_seconds), d.full_in_seconds < 86400],
      known(d.empty_in_seconds) && ['at this rate empty in', span(d.empty_in_seconds)],
      ['batches being retried', whole(d.retrying_batches), d.retrying_batches > 0],
    ] : []);
    const o = s.output;
    rows('output', [
      ['stalled', o.stalled === null ? unknown : o.stalled ? 'yes' : 'no', o.stalled],
      ['owes an acknowledgement for', o.no_ack_seconds ? span(o.no_ack_seconds) : o.no_ack_seconds === 0 ? 'nothing' : unknown],
      ['oldest unacknowledged', o.oldest_unacknowledged_seconds ? span(o.oldest_unacknowledged_seconds) : o.oldest_unacknowledged_seconds === 0 ? 'none' : unknown],
      ['newest acknowledgement', s.acked.last ? ago(s.acked.last, s.now) : s.acked.events_total === 0 ? 'none yet' : unknown],
      ['time to acknowledge, p50', latency(s.acked.p50_seconds)],
      ['time to acknowledge, p99', latency(s.acked.p99_seconds)],
      ['write errors', whole(o.write_errors_total)],
      ['events sent again', whole(o.retried_total)],
      ['events dropped by the output', whole(o.dropped_total), o.dropped_total > 0],
    ]);
    rows('retries', [
      ['delivered messages remembered', whole(s.retries.entries.value) + ' of ' + whole(s.retries.entries.limit)],
      ['deduped, in flight', whole(s.retries.joined_in_flight_total)],
      ['deduped, delivered before', whole(s.retries.joined_delivered_total)],
      ['withdrawn', whole(s.retries.withdrawn_total)],
    ]);
    rows('totals', [
      ['bytes received', bytes(s.received.bytes_total)],
      ['batches', whole(s.received.batches_total)],
      ['messages', whole(s.received.messages_total)],
      ['events acknowledged', whole(s.acked.events_total)],
      ['filtered by processors', whole(s.retries.filtered_total)],
      ['dropped before the queue', whole(s.retries.dropped_total), s.retries.dropped_total > 0],
    ]);
    const i = s.instance;
    rows('instance', [
      ['version', i.version || unknown],
      i.commit && ['commit', i.commit.slice(0, 12)],
      i.libbeat_version && ['libbeat', i.libbeat_version],
      ['up for', span(i.uptime_seconds)],
      ['phase', i.phase || unknown],
      ['a 200 means', {persisted: 'on the disk', processed: 'processed, may be lost', delivered: 'delivered'}[i.ack_mode] || unknown],
      i.unconfirmed_output && ['the output', 'may lose events unseen', true],
      ['memory', bytes(i.memory_bytes)],
      i.certificate_expires && ['certificate until', i.certificate_expires.slice(0, 10)],
    ]);
    text('version', i.version);
    fill('changes', s.changes.map((c) => {
      const line = make('li'), time = make('time', clock(c.at) + ' · ' + ago(c.at, s.now));
      time.dateTime = c.at;
      line.append(make('span', c.state.replace('_', ' ')), time);
      return line;
    }));
  }

  function showErrors(s) {
    at('no-errors').hidden = s.errors.length > 0;
    at('errors').hidden = s.errors.length === 0;
    fill('error-rows', s.errors.slice(0, 12).map((e) => {
      const row = make('tr');
      row.append(make('td', (PREFIXES[e.what] || '') + (e.code ? e.code + ' ' : '') + e.reason.replaceAll('_', ' ')),
        make('td', e.fault === 'nobody' ? '' : e.fault), make('td', whole(e.recent)), make('td', whole(e.total)), make('td', ago(e.last_seen, s.now)));
      return row;
    }));
    at('sources').hidden = s.sources.length < 2;
    fill('source-rows', s.sources.map((source) => {
      const row = make('tr'), problem = source.last_problem;
      row.append(make('td', source.name), make('td', whole(source.answers_total)), make('td', whole(source.messages_total)), make('td', whole(source.refused_total)),
        make('td', problem ? problem.reason.replaceAll('_', ' ') + ', ' + ago(problem.at, s.now) : 'none'));
      return row;
    }));
    at('withheld').hidden = s.configuration !== null;
    rows('configuration', (s.configuration || []).map((c) => [c.key, c.value]));
    for (const name of at('configuration').querySelectorAll('dt')) { // a long key breaks behind a dot
      name.replaceChildren(...name.textContent.split(/(?<=\.)/).flatMap((part) => [part, make('wbr')]));
    }
  }

  let answered = Date.now(), timer = 0;

  async function update() {
    clearTimeout(timer);
    try {
      const answer = await fetch('status.json', {cache: 'no-store', credentials: 'omit', signal: AbortSignal.timeout(ANSWER_WITHIN)});
      if (!answer.ok) throw new Error('status ' + answer.status);
      const s = await answer.json();
      showVerdict(s.verdict, s.now);
      showFlow(s);
      showState(s);
      showErrors(s);
      at('main').hidden = false;
      at('lost').hidden = true;
      answered = Date.now();
    } catch {
      at('verdict').className = 'bad';
      document.title = 'No answer – rtbeat';
      text('lost', 'No answer from rtbeat for ' + span((Date.now() - answered) / 1000) + '. The page is from ' + clock(answered) + '.');
      at('lost').hidden = false;
    }
    if (!document.hidden) timer = setTimeout(update, EVERY);
  }

  document.addEventListener('visibilitychange', () => { if (!document.hidden) update(); });
  update();
})();
