// A watcher as the older TypeScript tools are: it takes the lockfile with O_EXCL, reads the registry,
// changes it, writes a temporary file and renames it. It has never heard of argus.
//
// Arguments: the registry, a name, how many rounds. It begins with the first byte on standard input,
// and prints in the end what it was promised.
'use strict';
const fs = require('fs');

const [registry, name, rounds] = process.argv.slice(2);
const lock = `${registry}.lock`;
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

async function acquire() {
  const deadline = Date.now() + 2000;
  for (let attempt = 1; ; attempt++) {
    try {
      fs.closeSync(fs.openSync(lock, 'wx'));
      return true;
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
    }
    try {
      if (Date.now() - fs.statSync(lock).mtimeMs > 10000) fs.unlinkSync(lock);
    } catch (error) {
      if (error.code !== 'ENOENT') throw error;
    }
    if (Date.now() > deadline) return false;
    await sleep(Math.min(25 * attempt, 200) + Math.random() * 25);
  }
}

let locked = 0;
async function update(change) {
  while (!(await acquire())) locked++;
  try {
    let document = { version: 1, updatedAt: Date.now(), watchers: {} };
    try {
      document = JSON.parse(fs.readFileSync(registry, 'utf8'));
    } catch (error) {
      if (error.code !== 'ENOENT') throw error;
    }
    change(document.watchers);
    document.updatedAt = Date.now();
    const temp = `${registry}.tmp-${process.pid}-${Date.now()}`;
    fs.writeFileSync(temp, JSON.stringify(document, null, 2));
    fs.renameSync(temp, registry);
  } finally {
    fs.unlinkSync(lock);
  }
}

async function main() {
  fs.readSync(0, Buffer.alloc(1));
  const present = [];
  const absent = [];
  for (let round = 0; round < Number(rounds); round++) {
    const id = `${name}-${round}`;
    const now = Date.now();
    // Whoever started it outlives it: what belongs to a dead process goes.
    const record = { id, host: '127.0.0.1', port: 1000, pid: process.ppid, startedAt: now, updatedAt: now };
    await update((watchers) => { watchers[id] = record; });
    await update((watchers) => { watchers[id].updatedAt = Date.now(); });
    if (round % 3 === 0) {
      present.push(id);
    } else {
      await update((watchers) => { delete watchers[id]; });
      absent.push(id);
    }
  }
  console.log(JSON.stringify({ present, absent, locked, unknown: 0, errors: [] }));
}

main();
