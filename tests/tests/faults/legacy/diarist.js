// A program of the older kind in the great storm. It keeps a diary as tests/src/bin/diarist.rs does.
//
// Arguments: the registry, its kind (`watcher`: an empty lockfile, no fsync; `account`: a lockfile that
// names its process, and fsync), the diary, its number, a seed, the beginning and the end of the storm
// in nanoseconds of CLOCK_MONOTONIC, and where it shall kill itself, once it has been at work for a while:
// `never`, `locked` (with the lockfile taken) or `renamed` (and with the file written).
'use strict';
const fs = require('fs');
const oldFile = require('./old_file.js');

const [registry, kind, diary, ...rest] = process.argv.slice(2);
const [number, seed, start, end] = rest.slice(0, 4).map(BigInt);
const death = rest[4];
const { acquire, release, replace } = oldFile(registry, kind);
const notes = fs.openSync(diary, 'a');
const now = () => process.hrtime.bigint();
const { sleep } = oldFile;
const RECORDS = 6;
const EPOCH = 5000000000n;

// xorshift: the same operations for the same seed.
let state = BigInt.asUintN(64, seed * 0x9e3779b97f4a7c15n) | 1n;
function random(below) {
  state ^= BigInt.asUintN(64, state << 13n);
  state ^= state >> 7n;
  state ^= BigInt.asUintN(64, state << 17n);
  return Number(state % BigInt(below));
}

function dieAt(place) {
  if (death === place && now() > start + (end - start) / 4n) process.kill(process.pid, 'SIGKILL');
}

// Whether the record was there; undefined where the lock was not to be had.
async function update(id, change) {
  if (!(await acquire())) return undefined;
  try {
    dieAt('locked');
    let document = { version: 1, updatedAt: Date.now(), watchers: {} };
    try {
      document = JSON.parse(fs.readFileSync(registry, 'utf8'));
    } catch (error) {
      if (error.code !== 'ENOENT') throw error;
    }
    const there = id in document.watchers;
    if (change(document.watchers, there)) {
      document.updatedAt = Date.now();
      replace(JSON.stringify(document, null, 2));
      dieAt('renamed');
    }
    return there;
  } finally {
    release();
  }
}

function note(line) {
  fs.writeSync(notes, JSON.stringify(line) + '\n');
}

async function main() {
  let value = Number(number) * 100000;
  while (now() < end) {
    const id = `r${(now() - start) / EPOCH}-${random(RECORDS)}`;
    const action = ['announce', 'announce', 'announce', 'remove', 'heartbeat'][random(5)];
    if (action === 'announce') value++;
    const written = value;
    // As a number, which JSON.stringify would refuse to make of a BigInt; it is far below 2^53.
    const at = () => Number(now());
    note({ at: at(), id, action, value: action === 'announce' ? written : null, repeats: false });
    const there = await update(id, (watchers, there) => {
      const time = Date.now();
      if (action === 'announce') {
        watchers[id] = {
          id, host: '127.0.0.1', port: 1000, pid: process.ppid, startedAt: time, updatedAt: time, value: written,
        };
      } else if (!there) {
        return false;
      } else if (action === 'remove') {
        delete watchers[id];
      } else {
        watchers[id].updatedAt = time;
      }
      return true;
    });
    const outcome = there === undefined ? { outcome: 'not-applied' } : { outcome: 'durable', there };
    note({ at: at(), ...outcome, way: 'file' });
    await sleep(random(120));
  }
}

main().catch((error) => {
  note({ at: Number(now()), complaint: `${kind}: ${error.stack}` });
  process.exit(1);
});
