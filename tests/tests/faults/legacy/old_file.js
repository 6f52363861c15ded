// How the programs of the older kind take the lockfile and put a new file in the place of the old.
//
// Two kinds: `watcher` (an empty lockfile, no fsync) and `account` (a lockfile that names its process, mode 0600,
// and fsync of file and folder).
//
// In one thing it differs from those that it plays. They take a lockfile from the dead by removing it,
// and two who judge the same one remove each other's: then two are inside, argus or not. Nothing that a
// third does can prevent that, so here what the dead leave is left to argus.
'use strict';
const fs = require('fs');
const path = require('path');

const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

const kinds = {
  watcher: {
    content: () => '',
    wait: 2000,
    pause: (attempt) => Math.min(25 * attempt, 200) + Math.random() * 25,
    temporary: (file) => `${file}.tmp-${process.pid}-${Date.now()}`,
  },
  account: {
    content: () => JSON.stringify({ pid: process.pid, at: new Date().toISOString() }),
    wait: 5000,
    pause: (attempt) => Math.min(25 * 2 ** (attempt - 1), 250),
    temporary: (file) =>
      path.join(path.dirname(file), `.${path.basename(file)}.${process.pid}.${Math.random().toString(36).slice(2)}.tmp`),
    mode: 0o600,
    fsync: true,
  },
};

module.exports = (file, kind) => {
  const own = kinds[kind];
  const lock = `${file}.lock`;
  return {
    // False where the lockfile was not to be had in time.
    async acquire() {
      const deadline = Date.now() + own.wait;
      for (let attempt = 1; ; attempt++) {
        try {
          const held = fs.openSync(lock, 'wx', own.mode);
          fs.writeSync(held, own.content());
          fs.closeSync(held);
          return true;
        } catch (error) {
          if (error.code !== 'EEXIST') throw error;
        }
        if (Date.now() > deadline) return false;
        await sleep(own.pause(attempt));
      }
    },
    release() {
      fs.unlinkSync(lock);
    },
    replace(text) {
      const temporary = own.temporary(file);
      const written = fs.openSync(temporary, 'w', own.mode);
      fs.writeSync(written, text);
      if (own.fsync) fs.fsyncSync(written);
      fs.closeSync(written);
      if (own.mode) fs.chmodSync(temporary, own.mode);
      fs.renameSync(temporary, file);
      if (own.fsync) {
        const folder = fs.openSync(path.dirname(file), 'r');
        fs.fsyncSync(folder);
        fs.closeSync(folder);
      }
    },
  };
};
module.exports.sleep = sleep;
